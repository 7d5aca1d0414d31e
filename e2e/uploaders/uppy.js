// Uploads the file that is chosen with Uppy, as a page that has the user's upload token would. esbuild makes one script of it.
import Uppy from "@uppy/core";
import Tus from "@uppy/tus";

window.uploader = {
  state: "idle",
  file: null,
  error: null,

  wait(endpoint, token) {
    const uppy = new Uppy({ autoProceed: true });
    uppy.use(Tus, {
      endpoint,
      headers: { "Reelgate-Upload-Token": token },
      retryDelays: Array(120).fill(250),
      onAfterResponse: (_request, response) => {
        this.file = response.getHeader("Reelgate-File-Id") ?? this.file;
      },
    });
    uppy.on("complete", ({ failed }) => {
      this.error = failed.map((file) => file.error).join("; ") || null;
      this.state = this.error ? "failed" : "done";
    });
    document.querySelector("input").addEventListener("change", ({ target }) => {
      this.state = "uploading";
      for (const file of target.files) uppy.addFile({ name: file.name, type: file.type, data: file });
    });
  },
};
