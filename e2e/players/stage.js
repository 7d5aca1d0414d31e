// Plays a film with one of the players and writes down what a viewer would have seen. It judges nothing: that is done by
// `reelgate_e2e::browser::report`, which says what each field means. Times are seconds of the film unless they say `wall`.
"use strict";

const stage = (() => {
  const video = document.getElementById("video");
  const canvas = new OffscreenCanvas(16, 1);
  const picture = canvas.getContext("2d", { willReadFrequently: true });
  const report = { duration: 0, ended: false, frames: 0, waits: [], gaps: [], jumps: [], pictures: [], seeks: [], heights: [], errors: [] };
  const now = () => performance.now() / 1000;
  // Longest step from picture to picture that nobody notices.
  const STEP = 0.2;
  const round = (time) => Math.round(time * 1e4) / 1e4;
  // Times of all pictures, and of the one before. The film begins at 0.
  const seen = new Set([0]);
  let player = null, seek = { target: 0, wall: now(), landed: null }, last = 0;

  // ---- what is written down ----

  // How far the film is there without a hole.
  function ahead() {
    for (let i = 0; i < video.buffered.length; i += 1) {
      if (video.buffered.start(i) <= video.currentTime + 0.05 && video.buffered.end(i) >= video.currentTime) {
        return video.buffered.end(i) - video.currentTime;
      }
    }
    return 0;
  }

  // The number that is drawn into each frame as 16 squares, lowest bit first.
  function frameNumber() {
    picture.drawImage(video, 0, 0, video.videoWidth, video.videoHeight / 9, 0, 0, 16, 1);
    const pixels = picture.getImageData(0, 0, 16, 1).data;
    let number = 0;
    for (let bit = 0; bit < 16; bit += 1) number += pixels[4 * bit] > 127 ? 2 ** bit : 0;
    return number;
  }

  function frame(_, { mediaTime }) {
    video.requestVideoFrameCallback(frame);
    report.frames += 1;
    if (video.seeking) { last = null; return; }
    if (seek.landed === null) seek.landed = round(mediaTime);
    const time = round(mediaTime);
    if (last !== null && time < last) report.jumps.push({ from: last, to: time });
    if (last !== null && time - last > STEP) report.gaps.push({ from: last, to: time });
    if (report.frames % 6 === 0 || last === null) report.pictures.push({ time, number: frameNumber() });
    seen.add(time);
    last = time;
  }

  // A busy machine drops pictures, each time others; what is not in the film is never seen.
  function isUnseen({ from, to }) {
    const times = [...seen].filter((time) => time >= from && time <= to).sort((a, b) => a - b);
    return times.some((time, i) => i > 0 && time - times[i - 1] > STEP);
  }

  video.requestVideoFrameCallback(frame);
  video.addEventListener("seeking", () => {
    // Players jump over holes by themselves.
    if (Math.abs(video.currentTime - seek.target) > STEP) report.jumps.push({ from: last, to: round(video.currentTime) });
    last = null;
  });
  video.addEventListener("waiting", () => report.waits.push({
    at: round(video.currentTime), ahead: round(ahead()),
    since_seek: round(video.currentTime - seek.target), since_seek_wall: round(now() - seek.wall),
  }));
  video.addEventListener("resize", () => report.heights.push(video.videoHeight));
  video.addEventListener("ended", () => { report.ended = true; });
  const fail = (what) => report.errors.push(String(what));
  video.addEventListener("error", () => fail(`video: ${video.error?.code} ${video.error?.message}`));
  window.addEventListener("error", (event) => fail(event.message));
  window.addEventListener("unhandledrejection", (event) => fail(event.reason));

  // ---- the players: each gives its qualities as heights, and a way to choose one ----

  const open = {
    async native(url) {
      video.src = url;
      return { heights: () => [], choose() { throw new Error("the browser chooses by itself"); } };
    },
    async hlsjs(url) {
      const hls = new Hls({ maxBufferLength: 8, maxMaxBufferLength: 8 });
      hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) fail(`hls.js: ${data.type} ${data.details} ${data.error}`); });
      hls.loadSource(url);
      hls.attachMedia(video);
      return {
        heights: () => hls.levels.map((level) => level.height),
        choose: (height) => { hls.nextLevel = hls.levels.findIndex((level) => level.height === height); },
        subtitles(language) {
          hls.subtitleDisplay = false;
          hls.subtitleTrack = hls.subtitleTracks.findIndex((track) => track.lang === language);
          return hls.subtitleTracks.map((track) => [track.lang, track.name]);
        },
        voices: () => hls.audioTracks.map((track, i) => [track.lang, track.default, i === hls.audioTrack]),
        speak: (language) => { hls.audioTrack = hls.audioTracks.findIndex((track) => track.lang === language); },
      };
    },
    async shaka(url) {
      shaka.polyfill.installAll();
      const shown = new shaka.Player();
      shown.configure({ streaming: { bufferingGoal: 8 } });
      shown.addEventListener("error", ({ detail }) => { if (detail.severity === 2) fail(`shaka: ${detail.code} ${detail.data}`); });
      await shown.attach(video);
      await shown.load(url).catch((error) => { throw new Error(`shaka: ${error.code} ${error.data}`); });
      return {
        heights: () => shown.getVariantTracks().map((track) => track.height),
        choose(height) {
          shown.configure({ abr: { enabled: false } });
          const track = shown.getVariantTracks().find((variant) => variant.height === height);
          shown.selectVariantTrack(track, true, 2);
        },
        subtitles(language) {
          const tracks = shown.getTextTracks();
          shown.selectTextTrack(tracks.find((track) => track.language === language));
          return tracks.map((track) => [track.language, track.label]);
        },
        voices: () => shown.getAudioTracks().map((track) => [track.language, track.primary, track.active]),
        speak: (language) => shown.selectAudioTrack(shown.getAudioTracks().find((track) => track.language === language)),
      };
    },
  };

  // ---- what the test asks for ----

  // Fails when something is fatal, or when the film stands still for longer than any load of the machine explains.
  async function until(what, done) {
    let stood = now(), at = video.currentTime;
    while (!done()) {
      if (report.errors.length > 0) throw new Error(report.errors.join("; "));
      if (video.currentTime !== at) [stood, at] = [now(), video.currentTime];
      if (now() - stood > 30) throw new Error(`stands still at ${at}, ${ahead()} s of film ahead: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  return {
    video,
    async open(kind, url) {
      seek = { target: 0, wall: now(), landed: null };
      player = await open[kind](url);
      await until("the film has a length", () => video.readyState >= 1 && Number.isFinite(video.duration));
      report.duration = round(video.duration);
      await video.play();
    },
    async playTo(time) {
      await until(`plays to ${time}`, () => video.currentTime >= time || video.ended);
    },
    async seek(target, end = target + 0.7) {
      seek = { target, wall: now(), landed: null };
      video.currentTime = target;
      // A film that has ended is paused.
      if (video.paused) await video.play();
      await until(`arrives at ${target}`, () => !video.seeking && seek.landed !== null);
      report.seeks.push({ target, landed: seek.landed });
      await this.playTo(end);
    },
    async playToEnd() {
      await until("ends", () => video.ended);
    },
    // Plays once more, slowly, what was not seen; up to five times.
    async lookAgain() {
      video.playbackRate = 0.5;
      for (let look = 0; look < 5; look += 1) {
        for (const gap of report.gaps.filter(isUnseen)) await this.seek(Math.max(0, gap.from - 0.3), gap.to + 0.2);
      }
      video.playbackRate = 1;
      report.gaps = report.gaps.filter(isUnseen);
    },
    // A `<track>` of a product's page; gives what is wrong with it, or nothing when it has loaded.
    async track(url, language) {
      const track = Object.assign(document.createElement("track"), { kind: "subtitles", srclang: language, src: url });
      const loaded = new Promise((resolve) => {
        track.addEventListener("load", () => resolve(""));
        track.addEventListener("error", () => resolve(`${url} does not load`));
      });
      video.append(track);
      track.track.mode = "hidden";
      return loaded;
    },
    // Has the player show the words of a language; gives those that it offers, and their names.
    subtitles: (language) => player.subtitles(language),
    // The languages that the player offers, which of them is the default, and which one it speaks.
    voices: () => player.voices(),
    async speak(language) {
      player.speak(language);
      await until(`speaks ${language}`, () => player.voices().some(([lang, , speaks]) => speaks && lang === language));
    },
    // What is to be read at a time, in a language, as the browser itself says.
    async words(time, language) {
      video.pause();
      seek = { target: time, wall: now(), landed: null };
      video.currentTime = time;
      const track = () => [...video.textTracks].find((one) => one.language === language && one.mode !== "disabled");
      await until(`arrives at ${time} with words`, () => !video.seeking && track()?.cues?.length > 0);
      // Cues become active by the browser's next look.
      for (let look = 0; look < 10; look += 1) await new Promise(requestAnimationFrame);
      return [...track().activeCues].map((cue) => cue.getCueAsHTML().textContent);
    },
    heights: () => [...new Set(player.heights())].sort((a, b) => b - a),
    async choose(height) {
      player.choose(height);
      await until(`the picture is ${height} high`, () => video.videoHeight === height);
    },
    report: () => report,
  };
})();
