"""One configuration file, preflight, the engine that joins the rooms, replay, reports."""

from typing import TYPE_CHECKING

from bcikit.face import face

if TYPE_CHECKING:
    from bcikit.session.channel import ChannelServer
    from bcikit.session.conductor import AUTOMATIC, Conductor
    from bcikit.session.config import SessionConfig, config_from, load_config
    from bcikit.session.control import ControlClient
    from bcikit.session.engine import Engine, Result, run
    from bcikit.session.listener import Listener
    from bcikit.session.planning import Plan, plan
    from bcikit.session.repeat import Comparison, replay
    from bcikit.session.shipped import shipped_config
    from bcikit.session.ticket import Ticket

_WHERE = {
    "AUTOMATIC": "conductor",
    "ChannelServer": "channel",
    "Comparison": "repeat",
    "Conductor": "conductor",
    "ControlClient": "control",
    "Engine": "engine",
    "Listener": "listener",
    "Plan": "planning",
    "Result": "engine",
    "SessionConfig": "config",
    "Ticket": "ticket",
    "config_from": "config",
    "load_config": "config",
    "plan": "planning",
    "replay": "repeat",
    "run": "engine",
    "shipped_config": "shipped",
}

__all__ = [
    "AUTOMATIC",
    "ChannelServer",
    "Comparison",
    "Conductor",
    "ControlClient",
    "Engine",
    "Listener",
    "Plan",
    "Result",
    "SessionConfig",
    "Ticket",
    "config_from",
    "load_config",
    "plan",
    "replay",
    "run",
    "shipped_config",
]

__getattr__, __dir__ = face(__name__, _WHERE)
