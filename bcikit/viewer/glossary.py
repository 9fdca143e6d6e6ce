"""The glossary: terms in English and Chinese, as ISO/IEC 8663:2025 and YY/T 1987-2025 order them, in plain words.

The definitions are our own; for the binding wording see the standards.
"""

from PySide6.QtWidgets import QLineEdit, QVBoxLayout

from bcikit.ui.tables import fill_table, make_table, read_table
from bcikit.ui.theme import Theme
from bcikit.ui.words import tr
from bcikit.viewer.panel import Panel

TERMS: tuple[tuple[str, str, str, str], ...] = (
    (
        "brain-computer interface",
        "脑机接口",
        "System that turns brain signals into commands without muscles",
        "将脑信号不经肌肉转化为指令的系统",
    ),
    ("electroencephalogram (EEG)", "脑电图", "Voltages of the brain, measured on the scalp", "在头皮上测得的脑电压"),
    ("electrode", "电极", "Contact between skin and amplifier", "皮肤与放大器之间的接触件"),
    ("impedance", "阻抗", "Resistance of the contact; small is good", "接触电阻，越小越好"),
    ("reference", "参考电极", "Electrode against which all others are measured", "其他电极与之比较的电极"),
    ("channel", "通道", "Signal of one electrode", "一个电极的信号"),
    ("sampling rate", "采样率", "Measurements a second", "每秒测量次数"),
    ("artefact", "伪迹", "Part of the signal that is not from the brain", "不来自大脑的信号成分"),
    ("paradigm", "范式", "What the person is asked to do, and when", "受试者的任务及其时序"),
    ("motor imagery", "运动想象", "Imagining a movement without doing it", "想象而不执行动作"),
    (
        "steady-state visual evoked potential (SSVEP)",
        "稳态视觉诱发电位",
        "Answer of the visual cortex to flicker, at its frequency",
        "视觉皮层对闪烁的同频响应",
    ),
    ("event-related potential (ERP)", "事件相关电位", "Mean answer to an event", "对事件的平均响应"),
    (
        "event-related desynchronisation (ERD)",
        "事件相关去同步",
        "Fall of a rhythm's power during a task, in percent of rest",
        "任务中节律功率相对静息的下降百分比",
    ),
    (
        "feature extraction",
        "特征提取",
        "Numbers computed from the signal for the decoder",
        "由信号计算供解码器使用的数值",
    ),
    ("decoder", "解码器", "Program that tells what was intended", "识别意图的程序"),
    ("calibration", "校准", "Recording from which the decoder learns a person", "解码器学习个体所用的记录"),
    ("trial", "试次", "One repetition of the task", "任务的一次重复"),
    (
        "posterior probability",
        "后验概率",
        "How likely each answer is, after seeing the signal",
        "看到信号后各答案的可能性",
    ),
    ("evidence", "证据", "What speaks for an answer, summed over time", "随时间累积的支持量"),
    ("chance level", "机会水平", "Accuracy that guessing reaches", "猜测可达的准确率"),
    ("confidence interval", "置信区间", "Range in which the true value probably lies", "真值可能所在的范围"),
    ("feedback", "反馈", "What the person sees, hears or feels of the decision", "受试者对决策的感知"),
    (
        "safety gate",
        "安全门",
        "Part that refuses movements unless every rule is kept",
        "规则未全部满足即拒绝动作的部件",
    ),
    ("dwell", "保持时间", "How long an answer must last", "答案须保持的时间"),
    ("refractory period", "不应期", "Pause after an action", "动作之后的停顿"),
    ("safe state", "安全状态", "No motion, no current, no message", "无运动、无电流、无消息"),
    ("emergency stop", "急停", "Switch that takes the power from the actuator", "切断执行器能量的开关"),
    ("actuator", "执行器", "What moves or stimulates: hand, stimulator, robot", "产生运动或刺激的装置"),
    (
        "functional electrical stimulation (FES)",
        "功能性电刺激",
        "Small currents that move a muscle",
        "使肌肉运动的小电流",
    ),
    ("latency", "延迟", "Time from the newest sample to the verdict", "从最新样本到判定的时间"),
    ("jitter", "抖动", "How unevenly the samples arrive", "样本到达的不均匀程度"),
    ("packet loss", "丢包", "Samples that never arrived", "未到达的样本"),
    ("marker", "标记", "Note at a moment of the signal", "信号某时刻的注记"),
    ("pseudonymous code", "假名代码", "Code in place of a name", "代替姓名的代码"),
    ("informed consent", "知情同意", "Agreement after an explanation; it can be withdrawn", "经说明后的同意，可撤回"),
    ("dose", "剂量", "Minutes and movements of a session", "一次训练的时长与动作数"),
)
"""Term in English, in Chinese, meaning in English, meaning in Chinese."""


class GlossaryPanel(Panel):
    """Terms that can be searched."""

    period = 10.0

    def __init__(self, theme: Theme) -> None:  # noqa: ARG002 - as every panel
        super().__init__()
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Search the glossary"))
        self.search.setAccessibleName(tr("Search the glossary"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._fill)
        self.table_view = make_table([tr("Term"), tr("Other language"), tr("Meaning")], tr("Glossary"))
        self.table_view.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.search)
        layout.addWidget(self.table_view, 1)
        self._fill("")

    def _fill(self, text: str) -> None:
        chinese = tr("language") == "语言"
        rows = []
        for english, other, meaning, chinese_meaning in TERMS:
            if text.lower() in f"{english} {other} {meaning} {chinese_meaning}".lower():
                row = [other, english, chinese_meaning] if chinese else [english, other, meaning]
                rows.append(row)
        fill_table(self.table_view, rows)
        self.table_view.resizeRowsToContents()

    def table(self) -> list[list[object]]:
        """Return the terms shown."""
        return read_table(self.table_view)
