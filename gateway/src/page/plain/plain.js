"use strict";
const $ = (id) => document.getElementById(id);
const make = (tag, text, cls) => Object.assign(document.createElement(tag), { textContent: text ?? "", className: cls ?? "" });
const LIVE = new Set(["uploading", "staged", "processing"]);
let jwt = "", timer = 0, shown = 50, playing = null;

function say(text) {
  $("message").textContent = text;
  $("message").hidden = !text;
}

async function api(method, path, body) {
  const headers = { Authorization: `Bearer ${jwt}` };
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  if (answer.status === 401) leave("Your sign-in is not valid or has expired. Sign in again.");
  if (!answer.ok) throw new Error(await reason(answer));
  return answer.json();
}

async function reason(answer) {
  const body = await answer.json().catch(() => ({}));
  return typeof body.detail === "string" ? body.detail : body.detail?.[0]?.msg ?? `The server answered ${answer.status}.`;
}

function claims(token) {
  try {
    const text = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0))));
  } catch { return {}; }
}

function enter(token) {
  jwt = token.trim();
  sessionStorage.setItem("jwt", jwt);
  const { sub, org } = claims(jwt);
  $("who").textContent = sub ? `${sub}${org ? ` (${org})` : ""}` : "";
  $("enter").hidden = true;
  $("inside").hidden = $("leave").hidden = false;
  say("");
  refresh();
}

function leave(why) {
  jwt = "";
  sessionStorage.removeItem("jwt");
  clearTimeout(timer);
  stop();
  $("who").textContent = "";
  $("list").replaceChildren();
  $("inside").hidden = $("leave").hidden = true;
  $("enter").hidden = false;
  say(why ?? "");
  $("jwt").focus();
}

function size(bytes) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let step = 0;
  while (bytes >= 1000 && step < units.length - 1) { bytes /= 1000; step += 1; }
  return `${bytes.toFixed(step && bytes < 10 ? 1 : 0)} ${units[step]}`;
}

async function refresh() {
  clearTimeout(timer);
  if (!jwt) return;
  try {
    let files = [], next = null;
    do {
      const limit = Math.min(200, shown - files.length);
      const page = await api("GET", `/v1/files?limit=${limit}${next ? `&cursor=${encodeURIComponent(next)}` : ""}`);
      files = files.concat(page.files);
      next = page.next;
    } while (next && files.length < shown);
    draw(files);
    $("more").hidden = !next;
    timer = setTimeout(refresh, files.some((f) => LIVE.has(f.state) || f.progress < 1) ? 1500 : 10000);
  } catch (error) {
    if (!jwt) return;
    say(error.message);
    timer = setTimeout(refresh, 5000);
  }
}

function draw(files) {
  // Focus survives the redraw: the list is renewed while somebody walks through it by keyboard.
  const focused = document.activeElement?.dataset?.key;
  $("list").replaceChildren(...files.map(row));
  $("nothing").hidden = files.length > 0;
  if (focused) $("list").querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function row(file) {
  const tr = make("tr"), actions = make("td"), state = make("td");
  const words = file.failure ? file.failure.message : file.state;
  const cls = file.state === "failed" ? "bad" : file.state === "ready" ? "good" : "soft";
  const percent = file.progress < 1 && file.state !== "failed" ? ` ${Math.round(file.progress * 100)} %` : "";
  state.append(make("span", words + percent, cls));
  const playable = file.renditions.some((r) => r.kind === "video" || r.kind === "audio");
  const button = (label, key, on, action) => {
    const b = make("button", label);
    b.disabled = !on;
    b.dataset.key = `${key}-${file.id}`;
    b.setAttribute("aria-label", `${label} ${file.filename}`);
    b.onclick = () => action(file).catch((error) => say(error.message));
    actions.append(b, " ");
  };
  button("Play", "play", playable, play);
  button("Download", "get", file.state !== "uploading", download);
  button("Delete", "del", true, remove);
  tr.append(make("td", file.filename), make("td", size(file.size_bytes), "wide soft"), state, actions);
  return tr;
}

const mint = async (file, scope) =>
  encodeURIComponent((await api("POST", "/v1/files/token", { file_ids: [file.id], scope })).token);

async function play(file) {
  const tracks = file.renditions.filter((r) => r.kind === "video" || r.kind === "audio");
  $("quality").replaceChildren(new Option("Best", ""), ...tracks.filter((r) => r.name !== "source").map((r) => new Option(r.name, r.name)));
  $("title").textContent = file.filename;
  $("stage").hidden = false;
  playing = file;
  await load(0);
  $("video").focus();
  $("stage").scrollIntoView({ block: "nearest" });
}

async function load(at) {
  const file = playing, token = await mint(file, ["play", "image"]);
  if (file !== playing) return;
  const quality = $("quality").value, video = $("video");
  const poster = file.renditions.find((r) => r.kind === "poster");
  video.poster = poster ? `${poster.url}?token=${token}` : "";
  video.src = `/v1/files/stream/${file.id}?token=${token}${quality ? `&rendition=${encodeURIComponent(quality)}` : ""}`;
  video.currentTime = at;
  video.play().catch(() => {});
}

function stop() {
  playing = null;
  $("video").removeAttribute("src");
  $("video").load();
  $("stage").hidden = true;
}

async function download(file) {
  const link = make("a");
  link.href = `/v1/files/stream/${file.id}?rendition=source&token=${await mint(file, ["source"])}`;
  link.download = file.filename;
  link.click();
}

async function remove(file) {
  if (!confirm(`Delete ${file.filename}?`)) return;
  if (playing?.id === file.id) stop();
  await api("DELETE", `/v1/files/${file.id}`);
  await refresh();
}

function upload(files) {
  for (const file of files) {
    const line = make("div", "", "row"), bar = make("progress"), cancel = make("button", "Cancel");
    const label = make("label", file.name), form = new FormData(), request = new XMLHttpRequest();
    bar.max = 1; bar.value = 0;
    label.append(bar);
    line.append(label, cancel);
    $("uploads").append(line);
    const end = (problem) => { line.remove(); if (problem) say(`${file.name}: ${problem}`); refresh(); };
    request.upload.onprogress = (event) => { if (event.lengthComputable) bar.value = event.loaded / event.total; };
    request.onerror = () => end("the connection broke.");
    request.onabort = () => end("");
    request.onload = () => {
      let body = {};
      try { body = JSON.parse(request.responseText); } catch { /* not ours */ }
      const problem = body.files?.find((f) => f.error)?.error.message ?? (request.status >= 400 ? body.detail ?? request.status : "");
      if (request.status === 401) leave("Your sign-in is not valid or has expired. Sign in again.");
      end(typeof problem === "string" ? problem : JSON.stringify(problem));
    };
    cancel.onclick = () => request.abort();
    form.append("files", file, file.name);
    request.open("POST", "/v1/files");
    request.setRequestHeader("Authorization", `Bearer ${jwt}`);
    request.send(form);
  }
}

$("sign-in").onsubmit = (event) => { event.preventDefault(); enter($("jwt").value); $("jwt").value = ""; };
$("leave").onclick = () => leave();
$("reload").onclick = () => { say(""); refresh(); };
$("more").onclick = () => { shown += 50; refresh(); };
$("close").onclick = stop;
$("quality").onchange = () => load($("video").currentTime).catch((error) => say(error.message));
$("video").onerror = () => { if (playing && $("video").error) say("The video cannot be played; the token may have expired. Press Play again."); };
$("files").onchange = (event) => { upload(event.target.files); event.target.value = ""; };
for (const kind of ["dragenter", "dragover"]) $("drop").addEventListener(kind, (e) => { e.preventDefault(); $("drop").classList.add("over"); });
for (const kind of ["dragleave", "drop"]) $("drop").addEventListener(kind, (e) => { e.preventDefault(); $("drop").classList.remove("over"); });
$("drop").addEventListener("drop", (event) => upload(event.dataTransfer.files));

// A fragment never leaves the browser; it is taken out of the address at once, so that nobody copies it on.
const given = new URLSearchParams(location.hash.slice(1)).get("jwt");
if (given) history.replaceState(null, "", location.pathname);
const kept = given || sessionStorage.getItem("jwt");
if (kept) enter(kept); else leave();
