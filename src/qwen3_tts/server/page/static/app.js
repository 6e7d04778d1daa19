// The page: what is on it, joined to the socket, the sound and the server's routes.
import { key } from "./api.js";
import { Deck } from "./deck.js";
import { Enrolment } from "./enrol.js";
import { $, announce, lasting, make, setIcon, showError, visit } from "./dom.js";
import { Clip } from "./clip.js";
import { History } from "./history.js";
import { Player } from "./player.js";
import { Speech } from "./speech.js";
import { Status } from "./status.js";
import { Voices } from "./voices.js";

const stats = {
  samplesReceived: 0,
  samplesPlayed: 0,
  samplesHeard: 0,
  underruns: 0,
  spoken: 0,
  finished: 0,
  cancelled: 0,
  failed: 0,
};
let limit = 4096; // characters; the server tells its own

const status = new Status(() => showSound());
const player = new Player(stats, () => showSound());
const deck = new Deck(player, {
  replay: (clip) => replay(clip),
  waiting: () => `Waiting for the ${status.obstacle}`,
});
const history = new History({
  replay: (clip) => replay(clip),
  reuse: (clip) => reuse(clip),
  current: () => deck.clip,
});
const speech = new Speech(player, stats, {
  connection: (state, waitS) => status.set(state, waitS),
  ready: showReady,
  loading: (message) => status.loading(message),
  failed: fail,
  changed: showClip,
});
const voices = new Voices({ chosen: () => {}, failed: fail, play: playFile });
const enrolment = new Enrolment(async (voice) => {
  lasting.set("voice", voice.id);
  await voices.refresh(voice.id);
});

// --- speaking

// What `start` settles for the session; everything else goes along with each text.
function output() {
  return { sampleRate: Number($("rate").value), speed: Number($("speed").value) };
}

function manner() {
  const seed = $("seed").value.trim();
  const instructions = $("instruct").disabled ? "" : $("instruct").value.trim();
  return {
    language: $("language").value,
    ...(voices.chosen && { voice: voices.chosen.id }),
    ...(instructions && { instructions }),
    ...(seed && { seed: Number(seed) }),
  };
}

// Why this text cannot be sent, if so.
function objection(text) {
  if (!text) return "There is nothing to speak yet. Type a text first.";
  if (countOf(text) > limit)
    return `The text has ${number(countOf(text))} characters; this server takes ${number(limit)}.`;
  if (!/^[0-9]*$/.test($("seed").value.trim())) return "A seed is a whole number.";
  return null;
}

function speak() {
  const text = $("text").value.trim();
  const reason = objection(text);
  fail(null, reason);
  if (reason) return $("text").focus();
  player.unlock(Number($("rate").value));
  const clip = speech.speak(text, voices.chosen?.name, manner(), output());
  stats.spoken += 1;
  deck.put(clip);
  history.add(clip);
  showSound();
  announce("Speaking");
}

function cancel() {
  speech.cancel();
  showSound();
}

function showClip(clip) {
  if (clip === deck.clip) showSound();
  if (clip.frames) status.loaded();
  if (!clip.settled) return;
  stats[{ done: "finished", cancelled: "cancelled", failed: "failed" }[clip.state]] += 1;
  if (clip.state === "done") announce(`Finished, ${clip.seconds.toFixed(1)} seconds`);
  if (clip.state === "cancelled") announce("Cancelled");
  history.show();
}

function replay(clip) {
  speech.cancel();
  player.play(clip);
  deck.put(clip);
  history.show();
  showSound();
}

function reuse(clip) {
  $("text").value = clip.text;
  showCount();
  $("text").focus();
}

// A whole file, such as a voice's preview: decoded by the browser, played as it is.
async function playFile(file, name) {
  speech.cancel();
  const decoded = await new OfflineAudioContext(1, 1, 24000).decodeAudioData(file);
  const clip = new Clip({
    id: "preview",
    text: `Preview of ${name}`,
    voiceName: name,
    rate: 24000,
  });
  clip.push(
    Int16Array.from(decoded.getChannelData(0), (v) =>
      Math.max(-32768, Math.min(32767, Math.round(v * 32768))),
    ),
  );
  Object.assign(clip, { state: "done", ending: "preview", firstMs: null, realtime: null });
  replay(clip);
}

// --- what is seen

function showSound() {
  deck.show();
  $("cancel").disabled = !deck.busy;
  status.dot(deck.clip !== null && !deck.clip.settled);
}

function showReady({ capabilities = {}, model }) {
  limit = capabilities.maxTextChars ?? limit;
  fillLanguages(capabilities.languages ?? []);
  const instructions = capabilities.instructions !== false;
  $("instruct").disabled = !instructions;
  $("instruct-hint").hidden = instructions;
  enrolment.allow(capabilities.cloning ?? null);
  $("model").textContent = model ?? "";
  $("model").hidden = !model;
  $("key-form").hidden = true;
  $("key-forget").hidden = !key.get();
  showCount();
  status.set("ready");
  voices.refresh();
}

function fillLanguages(languages) {
  const names = ["Auto", ...languages.filter((name) => name.toLowerCase() !== "auto")];
  const wanted = lasting.get("language") ?? $("language").value;
  const label = (name) => name.charAt(0).toUpperCase() + name.slice(1);
  $("language").replaceChildren(
    ...names.map((name) => make("option", { value: name }, label(name))),
  );
  $("language").value = names.includes(wanted) ? wanted : "Auto";
}

function fail(code, message, retryMs) {
  if (code === "UNAUTHORIZED") {
    showError($("error"), code, key.get() ? "This key is not accepted." : message);
    $("key-form").hidden = false;
    $("key").focus();
    return;
  }
  const later = retryMs ? `; try again in ${Math.ceil(retryMs / 1000)} s` : "";
  showError($("error"), code, message && message.replace(/\.$/, "") + later);
}

// --- the text and the choices

const number = (value) => value.toLocaleString("en");
const countOf = (text) => [...text.normalize("NFC")].length; // as the server counts

function showCount() {
  const count = countOf($("text").value.trim());
  $("counter").textContent = `${number(count)} of ${number(limit)} characters`;
  $("counter").dataset.over = count > limit;
  visit.set("text", $("text").value);
}

function showSpeed() {
  $("speed-value").textContent = `${Number($("speed").value).toFixed(2)}×`;
}

function keep(id) {
  const kept = lasting.get(id);
  if (kept !== null) $(id).value = kept;
  $(id).addEventListener("change", () => {
    lasting.set(id, $(id).value);
    if (id !== "volume") speech.prepare(output());
  });
}

function setTheme() {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  setIcon($("theme"), dark ? "sun" : "moon", dark ? "Use the light theme" : "Use the dark theme");
  deck.scope.draw();
  return dark;
}

// --- what people do

$("speak").addEventListener("click", speak);
$("cancel").addEventListener("click", cancel);
$("text").addEventListener("input", showCount);
$("speed").addEventListener("input", showSpeed);
$("seed-dice").addEventListener("click", () => {
  $("seed").value = String(crypto.getRandomValues(new Uint32Array(1))[0]);
  $("seed").dispatchEvent(new Event("change"));
});
$("theme").addEventListener("click", () => {
  const theme = setTheme() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  lasting.set("theme", theme);
  setTheme();
});
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  key.set($("key").value.trim());
  $("key").value = "";
  fail(null, null);
  speech.reconnect();
});
$("key-forget").addEventListener("click", () => {
  key.set(null);
  speech.reconnect();
});
addEventListener("keydown", (event) => {
  if ($("confirm").open) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat) {
    event.preventDefault();
    speak();
  } else if (event.key === "Escape" && !$("cancel").disabled) {
    event.preventDefault();
    cancel();
  }
});
// a sleeping connection wakes with the first sign of its user
for (const sign of ["focusin", "pointerdown"])
  addEventListener(sign, () => status.state === "idle" && speech.connect());

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", setTheme);
if (/Mac|iPhone|iPad/.test(navigator.platform)) $("speak-keys").textContent = "⌘ ↵";
$("text").value = visit.get("text") ?? "";
for (const id of ["language", "instruct", "speed", "seed", "rate", "volume"]) keep(id);
player.setVolume(Number($("volume").value));
showSpeed();
showCount();
setTheme();
window.speakPage = { stats, speech, player, deck, voices };
speech.prepare(output());
speech.connect();
