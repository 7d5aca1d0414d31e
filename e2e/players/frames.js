// Draws single pictures of a film and says which colours they have. It judges nothing.
"use strict";

const frames = (() => {
  const video = document.getElementById("video");
  const SIDE = 8;

  function waited(name) {
    return new Promise((resolve, reject) => {
      video.addEventListener(name, resolve, { once: true });
      video.addEventListener("error", () => reject(new Error(video.error?.message || "the film does not play")), { once: true });
    });
  }

  // Time of the picture on the screen, and who waits for another.
  let shown = null, changed = () => {};
  function presented(_, { mediaTime }) {
    video.requestVideoFrameCallback(presented);
    shown = mediaTime;
    changed();
  }

  // Until the picture at `time` is on the screen; where it is another one than was shown at `after`, until one of later is there. A busy
  // machine tells of a picture when the next one is asked for already, so that any news is not enough.
  async function show(time, after) {
    const seeked = waited("seeked");
    const replaced = new Promise((resolve) => { changed = () => { if (shown > after) resolve(); }; });
    video.currentTime = time;
    await seeked;
    if (after !== null) await replaced;
  }

  // Red, green and blue of 8 by 8 squares in rows, each the mean of what it covers.
  function colors() {
    const [width, height] = [video.videoWidth, video.videoHeight];
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(video, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    const sums = new Float64Array(4 * SIDE * SIDE);
    for (let y = 0, at = 0; y < height; y += 1) {
      const row = Math.floor((y * SIDE) / height) * SIDE;
      for (let x = 0; x < width; x += 1, at += 4) {
        const square = 4 * (row + Math.floor((x * SIDE) / width));
        sums[square] += data[at];
        sums[square + 1] += data[at + 1];
        sums[square + 2] += data[at + 2];
        sums[square + 3] += 1;
      }
    }
    const mean = [];
    for (let square = 0; square < sums.length; square += 4) {
      for (let color = 0; color < 3; color += 1) mean.push(Math.round(sums[square + color] / Math.max(sums[square + 3], 1)));
    }
    return mean;
  }

  return {
    // Size, length, and the pictures at these times.
    async look(url, times) {
      const loaded = waited("loadeddata");
      video.src = url;
      video.muted = true;
      await loaded;
      video.requestVideoFrameCallback(presented);
      const pictures = [];
      for (const [number, time] of times.entries()) {
        // The first is there already, and a film may have but one.
        const before = times[number - 1] ?? time;
        await show(time, time - before > 1e-3 ? before : null);
        pictures.push({ time, colors: colors() });
      }
      return { width: video.videoWidth, height: video.videoHeight, duration: video.duration, pictures };
    },
  };
})();
