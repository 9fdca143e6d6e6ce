// What the person reads for each event; short, calm, one thing at a time.
const CUES = {
  left_hand: ["Imagine", "Close your left hand"],
  right_hand: ["Imagine", "Close your right hand"],
  both_hands: ["Imagine", "Close both hands"],
  fists: ["Imagine", "Close both fists"],
  feet: ["Imagine", "Move both feet"],
  tongue: ["Imagine", "Move your tongue"],
  rest: ["Now", "Stay relaxed"],
  none: ["Now", "Look away from the targets"],
};

const PHASES = {
  fixation: ["Get ready", "Look at the ball"],
  prepare: ["Get ready", "In a moment"],
  rest: ["Pause", "Relax"],
  pause: ["Pause", "Relax"],
  break: ["Break", "Rest for a while"],
  "eyes-open": ["Baseline", "Keep your eyes open"],
  "eyes-closed": ["Baseline", "Close your eyes until you hear the tone"],
  training: ["Training", "Raise the bar"],
  driving: ["Drive", "Follow the car in front"],
  watch: ["Watch", "See how the hand moves"],
  assist: ["Well done", "The hand is helped now"],
};

/** A name as a person reads it. */
export function title(name) {
  const text = String(name).replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Return [small line, large line] for an event, or null where nothing changes; `cue` is what the trial asked for. */
export function wordsFor(name, cue) {
  const slash = name.indexOf("/");
  const kind = name.slice(0, slash);
  const what = name.slice(slash + 1);
  if (kind === "cue") return CUES[what] ?? ["Look at", title(what)];
  if (name === "phase/gaze") return cue === "" ? ["Your choice", "Look at one of the targets"] : null;
  if (kind === "phase") return PHASES[what] ?? null;
  if (name === "paradigm/end") return ["Finished", "Thank you, you can rest now"];
  return null;
}
