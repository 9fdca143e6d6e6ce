"""Chinese words of the clinic window, the patient's window and the report."""

CLINIC: dict[str, str] = {
    # -- clinic: patient and consent
    "bcikit clinic": "bcikit 临床",
    "Patient": "患者",
    "Patients": "患者",
    "Therapist": "治疗师",
    "Patient and therapist": "患者与治疗师",
    "Begin anew": "重新开始",
    "Leave this session and choose a patient": "离开本次训练并选择患者",
    "The session went on while this window was closed.": "窗口关闭期间训练仍在继续。",
    "A session is running. Stop it first.": "训练正在进行，请先停止。",
    "Welcome back: this is where you were.": "欢迎回来：已回到上次的位置。",
    "Choose a patient by code, or enter a new code. Never enter a name.": (
        "按代码选择患者，或输入新代码。切勿输入姓名。"
    ),
    "Your code (therapist)": "您的代码（治疗师）",
    "Search a code": "搜索代码",
    "New code": "新代码",
    "New code, such as P-017": "新代码，例如 P-017",
    "Affected side": "患侧",
    "no side": "无患侧",
    "Add patient": "添加患者",
    "History": "历史",
    "Code": "代码",
    "Sessions": "次数",
    "Last session": "上次训练",
    "Sessions so far": "既往训练",
    "Who is it?": "患者是谁？",
    "When": "时间",
    "Protocol": "方案",
    "Accuracy": "准确率",
    "Trials": "试次",
    "{code} is entered.": "{code} 已录入。",
    "Enter your own code first: the record says who ran the session.": "请先输入您的代码：记录将注明由谁操作。",
    "Choose a patient, or enter a new code.": "请选择患者或输入新代码。",
    "Consent and screening": "知情同意与筛查",
    "Read it together. Without consent nothing is measured; it can be withdrawn at any time.": (
        "请一起阅读。未经同意不进行任何测量；可随时撤回。"
    ),
    "Consent text": "知情同意书",
    "What we tell": "告知内容",
    "Agreed to": "同意的范围",
    "Screening": "筛查",
    "Who signed": "签署人",
    "the patient": "患者本人",
    "guardian": "监护人",
    "representative": "代理人",
    "Age": "年龄",
    "Sleep last night": "昨夜睡眠",
    "I have explained it, questions were answered, and it is signed on paper or screen": (
        "我已说明并解答疑问，已在纸面或屏幕上签署"
    ),
    "Measure the EEG": "测量脑电",
    "Keep the recordings": "保存记录",
    "Show flickering stimuli": "显示闪烁刺激",
    "Electrical stimulation of muscles": "肌肉电刺激",
    "Share for research, de-identified": "去标识后用于研究",
    "Record video": "录像",
    "Epilepsy": "癫痫",
    "Any seizure before": "曾有发作",
    "Sensitive to flickering light": "对闪光敏感",
    "Migraine from light": "光诱发偏头痛",
    "Alcohol in the last 24 hours": "24 小时内饮酒",
    "Tick that it is signed. Without consent nothing is measured.": "请勾选已签署。未经同意不进行任何测量。",
    "Measuring and keeping the recordings is the least a session needs.": "测量与保存记录是训练的最低要求。",
    "Flickering stimuli stay off: {bars}": "闪烁刺激保持关闭：{bars}",
    "We measure the electrical activity of your brain with electrodes on your head. A program tries to tell which "
    "movement you imagine or attempt, and shows it with a hand on the screen.\n\n"
    "It does not hurt. You may feel tired; tell us at any time. You can stop at any moment without giving a "
    "reason, and withdraw your consent later; your data are then erased.\n\n"
    "Your recordings are kept under a code, not under your name. They are used for this training only, unless you "
    "agree below to more.": (
        "我们用头上的电极测量您大脑的电活动。程序会尝试识别您想象或尝试的动作，并用屏幕上的手显示出来。\n\n"
        "不会疼痛。您可能会感到疲劳，请随时告诉我们。您可以随时停止，无需说明理由，也可以之后撤回同意，届时您的数据将被删除。\n\n"
        "您的记录以代码而非姓名保存，仅用于本次训练，除非您在下面同意更多用途。"
    ),
    "Consent withdrawn ...": "撤回同意……",
    "Erase everything of this patient": "删除该患者的全部数据",
    "Code of the patient to erase": "要删除的患者代码",
    "Erase": "删除",
    "Cancel": "取消",
    "All recordings, models, scores and reports of {code} will be erased. This cannot be undone. "
    "Enter the code to confirm.": "{code} 的全部记录、模型、评分和报告将被删除，无法恢复。请输入代码确认。",
    "That is not the code. Nothing was erased.": "代码不符，未删除任何数据。",
    "{code} is erased: {count} folders and files are gone.": "{code} 已删除：共 {count} 个文件夹和文件。",
    "The consent of {day} is on file. Ask the screening again.": "{day} 的知情同意已存档。请重新询问筛查问题。",
    # -- clinic: device and electrodes
    "Device": "设备",
    "Devices": "设备",
    "Details": "详情",
    "Address": "地址",
    "Found": "已发现",
    "Look again": "重新查找",
    "Looking ...": "正在查找……",
    "Test": "测试",
    "Testing ...": "正在测试……",
    "Not tested yet": "尚未测试",
    "Simulated patient": "模拟患者",
    "for training, without a headset": "用于培训，无需头戴设备",
    "Switch the headset on. It appears here by itself. Choose it and test it.": (
        "打开头戴设备，它会自动出现在这里。选择并测试。"
    ),
    "Choose a device first.": "请先选择设备。",
    "Test the device first.": "请先测试设备。",
    "No data arrive. Check power, battery and cable.": "没有数据到达。请检查电源、电池和线缆。",
    "{shape} {name}: {channels} channels, {rate:.1f} of {nominal:g} samples a second, {lost} lost": (
        "{shape} {name}：{channels} 个通道，每秒 {rate:.1f} / {nominal:g} 个样本，丢失 {lost} 个"
    ),
    "Mend the electrodes marked ■ B, then ▲ W. ● G is good. Go on when it says Go.": (
        "先处理标有 ■ B 的电极，再处理 ▲ W。● G 为良好。显示“可以开始”后继续。"
    ),
    "Measuring ...": "正在测量……",
    "Go or no go": "是否可以开始",
    "Go": "可以开始",
    "No go": "不可开始",
    "Mend the electrodes first. C3 and C4, and 80 % of all, must not be bad.": (
        "请先处理电极：C3、C4 及全部电极的 80 % 不能为不良。"
    ),
    # -- clinic: protocol
    "The patient's plan is filled in. Change what you need; the limits are safe.": (
        "已填入患者的治疗计划。可按需修改，限值是安全的。"
    ),
    "Movements": "动作",
    "Save as this patient's plan": "保存为该患者的计划",
    "The plan of {code} is saved.": "{code} 的计划已保存。",
    "The patient has not agreed to electrical stimulation.": "患者未同意电刺激。",
    "What to train": "训练内容",
    "Dose": "剂量",
    "allowed: {limits}": "允许范围：{limits}",
    "{low:g} to {high:g}": "{low:g} 至 {high:g}",
    "{name}: {value:g} is refused; allowed: {limits}.": "{name}：{value:g} 不被接受；允许范围：{limits}。",
    "Charge of a pulse {value:.1f} µC, at most {limit:g}: lower the current or the pulse width.": (
        "单脉冲电荷 {value:.1f} µC，最多 {limit:g}：请降低电流或脉宽。"
    ),
    "Current density {value:.2f} mA/cm², at most {limit:g}: lower the current or take larger electrodes.": (
        "电流密度 {value:.2f} mA/cm²，最多 {limit:g}：请降低电流或使用更大的电极。"
    ),
    "Baseline": "基线",
    "Current": "电流",
    "Frequency": "频率",
    "Hand": "手",
    "left hand": "左手",
    "right hand": "右手",
    "Length of a block": "训练段时长",
    "Length of the help": "辅助时长",
    "Pause between blocks": "段间休息",
    "Pulse width": "脉宽",
    "Repeats": "重复次数",
    "Smaller electrode": "较小电极面积",
    "Training blocks": "训练段数",
    "about {minutes:.0f} minutes": "约 {minutes:.0f} 分钟",
    "{trials} blocks of training\nabout {minutes:.0f} minutes": "训练 {trials} 段\n约 {minutes:.0f} 分钟",
    "Neurofeedback of the sensorimotor rhythm": "感觉运动节律神经反馈",
    "Neurofeedback of the alpha rhythm": "α 节律神经反馈",
    "Check: eyes open, eyes closed": "检查：睁眼、闭眼",
    "The patient imagines two movements in turn; the hand on the screen follows.": (
        "患者轮流想象两种动作，屏幕上的手随之活动。"
    ),
    "The patient watches a movement, then tries it; the hand on the screen helps.": (
        "患者先观看动作，再尝试；屏幕上的手给予辅助。"
    ),
    "The patient tries to open the hand; when the brain shows it, the muscle is stimulated.": (
        "患者尝试张手；脑信号显示意图时，刺激肌肉。"
    ),
    "The hand closes while 12 to 15 Hz over the motor strip is strong; nothing to calibrate.": (
        "运动区 12–15 Hz 增强时手合拢；无需校准。"
    ),
    "The hand closes while 8 to 12 Hz at the back is strong; nothing to calibrate.": (
        "后部 8–12 Hz 增强时手合拢；无需校准。"
    ),
    "Two minutes of rest: closed eyes must raise the alpha rhythm, or the signal is no EEG.": (
        "静息两分钟：闭眼时 α 节律应增强，否则信号不是脑电。"
    ),
    "{trials} movements to train\nabout {minutes:.0f} minutes": "训练 {trials} 次动作\n约 {minutes:.0f} 分钟",
    "Motor imagery with a virtual hand": "运动想象（虚拟手）",
    "Action observation and attempted movement": "动作观察与尝试动作",
    "Hand opening with functional electrical stimulation (simulated)": "功能性电刺激张手（模拟）",
    "Calibration runs": "校准轮数",
    "Training runs": "训练轮数",
    "Trials a run": "每轮试次",
    "Pause between runs": "轮间休息",
    "Difficulty (threshold)": "难度（阈值）",
    # -- clinic: calibration and session
    "Calibration": "校准",
    "Session": "训练",
    "Progress": "进度",
    "Verdict": "结论",
    "Starting ...": "正在启动……",
    "Patient's window": "患者窗口",
    "The patient follows the arrows; nothing moves yet. The program learns what the signal looks like.": (
        "患者按箭头完成任务，此时不会有动作。程序在学习信号的样子。"
    ),
    "Not calibrated yet": "尚未校准",
    "Trial {trial} of {all}": "第 {trial} / {all} 试次",
    "Wait until the calibration is over, or press STOP.": "请等待校准结束，或按“停止”。",
    "Calibrate first: press Start.": "请先校准：按“开始”。",
    "What was recorded is kept. Press Start to go on.": "已记录的内容已保存。按“开始”继续。",
    "Good enough. You can begin the session.": "足够好，可以开始训练。",
    "Not sure yet. Record more trials.": "尚不确定，请再记录一些试次。",
    "No better than guessing. Try another pair of movements.": "不优于猜测，请换一对动作。",
    "{accuracy:.0f} % of {n} trials right (95 % interval {low:.0f} to {high:.0f} %); "
    "guessing reaches {chance:.0f} %.": (
        "{n} 个试次中 {accuracy:.0f} % 正确（95 % 区间 {low:.0f} 至 {high:.0f} %）；猜测可达 {chance:.0f} %。"
    ),
    "Start when the patient is ready. The space bar stops everything at once.": (
        "患者准备好后开始。空格键立即停止一切。"
    ),
    "To the report": "查看报告",
    "Finish early": "提前结束",
    "Finishing ...": "正在结束……",
    "What happens": "当前情况",
    "So far": "目前",
    "Accuracy so far": "目前准确率",
    "Dose so far": "目前剂量",
    "Note": "备注",
    "Notes": "备注",
    "Note, then Return": "输入备注后按回车",
    "Noted.": "已记录。",
    "Difficulty": "难度",
    "Difficulty: {percent} % sure": "难度：需 {percent} % 把握",
    "After a stop: the cause is mended": "停止之后：原因已排除",
    "{percent:.0f} % of {n} right (95 % interval {low:.0f} to {high:.0f} %)": (
        "{n} 次中 {percent:.0f} % 正确（95 % 区间 {low:.0f} 至 {high:.0f} %）"
    ),
    "{minutes:.1f} minutes, {trials} trials, {movements} movements": (
        "{minutes:.1f} 分钟，{trials} 个试次，{movements} 次动作"
    ),
    "The session is complete.": "训练已完成。",
    "The session was cut off: {why}. Press Go on for the rest, or go to the report.": (
        "训练中断：{why}。按“继续”完成剩余部分，或查看报告。"
    ),
    "{count} rewards": "{count} 次奖励",
    "The calibration was cut off: {why}. Press Start to do it again.": "校准中断：{why}。按“开始”重做。",
    # -- patient's window
    "Patient's screen": "患者屏幕",
    "We will begin soon. Sit comfortably.": "即将开始，请坐舒适。",
    "Rest": "休息",
    "Stopped. Everything is at rest.": "已停止，一切处于静止。",
    "Imagine moving your left hand": "请想象活动左手",
    "Imagine moving your right hand": "请想象活动右手",
    "Imagine moving your feet": "请想象活动双脚",
    "Try to move your left hand": "请尝试活动左手",
    "Try to move your right hand": "请尝试活动右手",
    "Watch the movement": "请观看动作",
    "Keep your eyes open and look at the cross": "请睁眼注视十字",
    "Close your eyes until you hear the tone": "请闭眼，直到听到提示音",
    "Let the hand close, without moving": "不要动，让屏幕上的手合拢",
    "Do nothing, relax": "什么都不做，放松",
    "Well done. That was all.": "做得很好，结束了。",
    # -- report
    "Report": "报告",
    "Report of the training": "训练报告",
    "Look at it together, add scores and notes, and save it. Then finish.": "一起查看，添加评分后保存，然后完成。",
    "Score": "评分",
    "Add score": "添加评分",
    "Outcome scores": "结局评分",
    "Save HTML": "保存 HTML",
    "Save PDF": "保存 PDF",
    "Date": "日期",
    "Result": "结果",
    "Signal": "信号",
    "Interruptions": "中断",
    "{lost} samples lost": "丢失 {lost} 个样本",
    "No trial was finished.": "没有完成的试次。",
    "above guessing": "高于猜测",
    "not above guessing": "不高于猜测",
    "Accuracy of each session; half of two classes is guessing": "各次训练的准确率；两类时 50 % 为猜测水平",
    "{rewards} rewards; {percent:.0f} % of the time above the threshold.": (
        "{rewards} 次奖励；{percent:.0f} % 的时间高于阈值。"
    ),
    "done in {count} parts": "分 {count} 段完成",
    "{count} × the window was closed while the session went on": "{count} × 训练进行中窗口曾关闭",
    "Accuracy of each session": "各次训练的准确率",
    "Trend over sessions": "历次趋势",
    "{percent:.0f} % of {n} trials right (95 % interval {low:.0f} to {high:.0f} %); "
    "guessing reaches {chance:.0f} %: {verdict}.": (
        "{n} 个试次中 {percent:.0f} % 正确（95 % 区间 {low:.0f} 至 {high:.0f} %）；猜测可达 {chance:.0f} %：{verdict}。"
    ),
    "Research software, not a medical device. The code stands for a person; keep this report as you keep patient "
    "records.": "研究软件，非医疗器械。代码对应一个人；请像保管病历一样保管本报告。",
}
