// What the person reads: short, calm, one thing at a time. English and Chinese; ?lang=zh or the browser's own language.
const ENGLISH = {
  cues: {
    left_hand: ["Imagine", "Close your left hand"],
    right_hand: ["Imagine", "Close your right hand"],
    both_hands: ["Imagine", "Close both hands"],
    fists: ["Imagine", "Close both fists"],
    feet: ["Imagine", "Move both feet"],
    tongue: ["Imagine", "Move your tongue"],
    rest: ["Now", "Stay relaxed"],
    none: ["Now", "Look away from the targets"],
  },
  phases: {
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
  },
  items: { _: "space", "<": "back" },
  states: {
    OFFLINE: "Not running", SELFTEST: "Getting ready", STANDBY: "At rest", CALIBRATING: "Learning", ARMED: "Ready",
    ACTIVE: "Session running", DEGRADED: "Waiting for a good signal", SAFE_STOP: "Stopped", ESTOP: "Stopped", FATAL: "Stopped",
  },
  look: "Look at",
  choose: ["Your choice", "Look at one of the targets"],
  finished: ["Finished", "Thank you, you can rest now"],
  waiting: ["Please wait", "Connecting to the therapist's computer"],
  tooSlow: ["Please call your therapist", "This screen is too slow for the targets"],
  chosen: "Chosen: ",
  helped: "The hand is helped now",
  connected: "Connected",
  notConnected: "Not connected",
  frames: " frames a second",
  enter: "Enter VR",
  leave: "Leave VR",
  noHeadset: "The headset could not be started",
  noFilm: "The film cannot be shown. Please call your therapist",
  code: ["Enter the code from the therapist's screen", "Enter"],
};

const CHINESE = {
  cues: {
    left_hand: ["想象", "握紧左手"],
    right_hand: ["想象", "握紧右手"],
    both_hands: ["想象", "握紧双手"],
    fists: ["想象", "双手握拳"],
    feet: ["想象", "活动双脚"],
    tongue: ["想象", "活动舌头"],
    rest: ["现在", "保持放松"],
    none: ["现在", "不要看目标"],
  },
  phases: {
    fixation: ["准备", "看着小球"],
    prepare: ["准备", "马上开始"],
    rest: ["暂停", "放松"],
    pause: ["暂停", "放松"],
    break: ["休息", "请休息一会儿"],
    "eyes-open": ["基线", "请睁开眼睛"],
    "eyes-closed": ["基线", "请闭上眼睛，直到听见提示音"],
    training: ["训练", "让进度条升高"],
    driving: ["驾驶", "跟随前车"],
    watch: ["观看", "看手怎样运动"],
    assist: ["很好", "正在辅助手部运动"],
  },
  items: {
    up: "上", down: "下", left: "左", right: "右", _: "空格", "<": "退格", left_hand: "左手", right_hand: "右手", both_hands: "双手", fists: "双拳",
    both_fists: "双拳", feet: "双脚", both_feet: "双脚", tongue: "舌头", rest: "休息",
  },
  states: {
    OFFLINE: "未运行", SELFTEST: "准备中", STANDBY: "静止", CALIBRATING: "学习中", ARMED: "就绪",
    ACTIVE: "训练进行中", DEGRADED: "等待信号变好", SAFE_STOP: "已停止", ESTOP: "已停止", FATAL: "已停止",
  },
  look: "请看",
  choose: ["请选择", "看着其中一个目标"],
  finished: ["结束", "谢谢，请休息"],
  waiting: ["请稍候", "正在连接治疗师的电脑"],
  tooSlow: ["请叫治疗师", "这个屏幕太慢，不能显示目标"],
  chosen: "已选择：",
  helped: "正在辅助手部运动",
  connected: "已连接",
  notConnected: "未连接",
  frames: " 帧/秒",
  enter: "进入 VR",
  leave: "退出 VR",
  noHeadset: "无法启动头戴设备",
  noFilm: "影片无法显示，请叫治疗师",
  code: ["请输入治疗师屏幕上的代码", "进入"],
};

const asked = new URLSearchParams(location.search).get("lang") ?? navigator.language;
export const language = asked.startsWith("zh") ? "zh" : "en";
export const words = language === "zh" ? CHINESE : ENGLISH;

/** A name as a person reads it. */
export function title(name) {
  const text = words.items[name] ?? String(name).replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A state of the safety machine as a person reads it. */
export function stateWords(state) {
  return words.states[state] ?? title(String(state).toLowerCase());
}

/** Return [small line, large line] for an event, or null where nothing changes; `cue` is what the trial asked for. */
export function wordsFor(name, cue) {
  const slash = name.indexOf("/");
  const kind = name.slice(0, slash);
  const what = name.slice(slash + 1);
  if (kind === "cue") return words.cues[what] ?? [words.look, title(what)];
  if (name === "phase/gaze") return cue === "" ? words.choose : null;
  if (kind === "phase") return words.phases[what] ?? null;
  if (name === "paradigm/end") return words.finished;
  return null;
}
