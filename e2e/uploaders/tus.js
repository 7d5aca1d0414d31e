// Uploads a file with tus-js-client, as a program that runs in Node would, and prints which file it has become.
//   node tus.js ENDPOINT UPLOAD_TOKEN PATH
import { createReadStream, statSync } from "node:fs";
import { basename } from "node:path";
import * as tus from "tus-js-client";

const [endpoint, token, path] = process.argv.slice(2);
let file = null;
const upload = new tus.Upload(createReadStream(path), {
  endpoint,
  headers: { "Reelgate-Upload-Token": token },
  uploadSize: statSync(path).size,
  metadata: { filename: basename(path), filetype: "application/octet-stream" },
  // Counted anew whenever something was stored.
  retryDelays: Array(120).fill(250),
  onAfterResponse: (_request, response) => {
    file = response.getHeader("Reelgate-File-Id") ?? file;
  },
  onError: (error) => {
    console.error(error);
    process.exit(1);
  },
  onSuccess: () => console.log(`file ${file}`),
});
upload.start();
