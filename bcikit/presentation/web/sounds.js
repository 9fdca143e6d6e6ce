// Tones and spoken words by what the browser brings.
import { title } from "./words.js";

let context = null;

/** Browsers sound nothing before the page was touched once; whoever cannot touch it starts the browser with autoplay. */
export function tone(frequency, seconds) {
  try {
    context ??= new AudioContext();
    if (context.state === "suspended") context.resume();
    const begin = context.currentTime + 0.005;
    const gain = context.createGain();
    gain.gain.setValueAtTime(0, begin);
    gain.gain.linearRampToValueAtTime(0.5, begin + 0.01);
    gain.gain.setValueAtTime(0.5, begin + Math.max(0.01, seconds - 0.01));
    gain.gain.linearRampToValueAtTime(0, begin + seconds);
    const source = context.createOscillator();
    source.frequency.value = frequency;
    source.connect(gain).connect(context.destination);
    source.start(begin);
    source.stop(begin + seconds);
    return context.state === "running";
  } catch {
    return false;
  }
}

export function speak(text, language) {
  const speech = globalThis.speechSynthesis;
  if (!speech || !text) return false;
  speech.cancel();
  const said = new SpeechSynthesisUtterance(text);
  said.lang = language === "zh" ? "zh-CN" : "en-GB";
  speech.speak(said);
  return speech.getVoices().length > 0;
}

/** Why a sound was not heard, in words for a report. */
export function silence(event) {
  if (event.name.startsWith("select/") || (event.name.startsWith("sound/") && event.name !== "sound/beep")) return "the browser has no voice";
  return context === null ? "the browser plays no sound" : `the browser's sound is ${context.state}: touch the page once`;
}

/** What an item is called for the ear, as the scene that holds it names it; "" where it stands for nothing. */
export function spoken(item, scene, language) {
  const elements = scene?.elements ?? [];
  const named = Object.fromEntries(elements.flatMap(({ labels, targets }) => [...(labels ?? []), ...(targets ?? []).map((one) => [one.item, one.words])]));
  if (named[item]) return named[item][language] || named[item].en;
  if (/^#\d+$/.test(item)) return elements.find(({ kind }) => kind === "matrix")?.suggestions?.[Number(item.slice(1)) - 1] ?? "";
  return item === "" ? "" : title(item);
}

/** Sound what an event asks for; returns whether it can be heard, null where it asks for nothing. */
export function sound(event, scene, language) {
  const { name, data } = event;
  if (name === "sound/beep" || name === "stimulus/tone") return tone(data?.frequency ?? 1000, event.duration || 0.07);
  if (name.startsWith("sound/")) return speak((language === "zh" && data?.text_zh) || (data?.text ?? name.slice(6)), language);
  if (name.startsWith("select/")) {
    // What was taken back has no item, and nothing is to be heard.
    const text = spoken(String(data?.item ?? ""), scene, language);
    return text === "" ? null : speak(text, language);
  }
  const alert = name.startsWith("advice/") ? (scene?.elements ?? []).find(({ kind }) => kind === "warning") : undefined;
  if (alert === undefined) return null;
  speak(alert.words[language] || alert.words.en, language);
  return tone(880, 0.4);
}
