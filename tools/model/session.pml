/* A session and its guard, one step of one part at a time; time goes in ticks of TICK_MS.
 *
 * What stands in capitals comes from the code (tools/model_check.py writes tables.h): routes and latched states of the
 * machine, causes that the guard latches, its timeouts, how long a command and "held" last. Every step prints what it is
 * and what can be seen afterwards; the same steps are then taken by the real objects.
 */
#include "tables.h"

/* machine and gate */
byte st = STANDBY;
bool tested;      /* what the person who arms brings, and the test of the stop key */
bool clear = true;               /* the cause of the stop is gone long enough */
bool open_;                      /* emergency stop */
bool alive = true;               /* the engine goes round */
byte held_age = 99;              /* engine: ticks since "held" was heard */
bool holding;                    /* the person holds the switch, the window says so every tick */
bool informed;                   /* arming was with everything that is needed */
byte verdict_age = 99;           /* ticks since a verdict that allowed */
bool link;                       /* the engine believes the guard armed */
bool told;                       /* the engine has told of this latch */
/* guard */
bool armed, latched, out;
byte cause = C_START;
byte beat_age = 99, cmd_age = 99, gheld_age = 99;
/* one datagram on its way that others may overtake */
byte wire; bool old; byte wire_age;
/* what must come of it: the operator pressed a stop that nobody has undone */
bool pressed;
byte dead_age;                   /* ticks since the engine is gone */
byte left_age = 99;              /* ticks since ACTIVE was left */
bool operator;                   /* the operator stopped the guard itself */
bool flooded;                    /* a flood fills the guard's second */
bool owed;                       /* the guard did not take a release: that is told at the next look */
bool fresh;                      /* a finding that was told since the last tick */
bool tripped;                    /* the guard has gone safe at least once */

#define MOVING (st == ARMED || st == ACTIVE || st == DEGRADED)
#define HELD (held_age * TICK_MS <= DEAD_MAN_MS)
#ifdef TRACES
/* random runs: what ends everything comes seldom, or no run would get anywhere */
byte luck = 7; byte steps;
#define SEE printf(" | %d %d %d %d\n", st, armed, latched, out); normal(); steps = (steps < 200 -> steps + 1 : steps); \
  if :: luck = 0 :: luck = 1 :: luck = 2 :: luck = 3 :: luck = 4 :: luck = 5 :: luck = 6 :: luck = 7 :: luck = 8 :: luck = 9 fi
#define SELDOM (luck == 0)
#define LAST (luck == 0 && steps > 60)
#define SOMETIMES (luck <= 2)
#define USEFUL(x) ((x) || luck == 9)
#else
#define SEE printf(" | %d %d %d %d\n", st, armed, latched, out); normal()
#define SELDOM true
#define LAST true
#define SOMETIMES true
#define USEFUL(x) true
#endif
#define IS_LATCHED(s) ((LATCHED_STATES >> s) & 1)
#define CAN(s, t) ((routes[s] >> t) & 1)
#define NEEDS_PERSON(s, t) ((by_human[s] >> t) & 1)
#define OLDER(x, most) x = (x < most -> x + 1 : 99)

short routes[N_STATES]; short by_human[N_STATES];

inline guard_safe(c, latch) {
  if
  :: armed || (latch && !latched && c != C_END) || !tripped || c == C_OPERATOR -> cause = c; told = false; tripped = true
  :: else -> skip
  fi;
  latched = latched || latch; armed = false; out = false; cmd_age = 99
}

/* what a datagram that is authentic, whole and new does to the guard */
inline guard_obey(what, age) {
  if
  :: flooded && what != M_SAFE && what != M_STOP -> if :: !latched -> guard_safe(C_FLOOD, true) :: else -> skip fi
  :: what == M_CMD && !flooded ->
     if
     :: age * TICK_MS > DEADLINE_MS -> guard_safe(C_STALE, (GUARD_LATCHED >> C_STALE) & 1)
     :: else ->
        beat_age = age;
        if
        :: armed && age * TICK_MS > TTL_MS -> guard_safe(C_STALE, (GUARD_LATCHED >> C_STALE) & 1)
        :: armed && age * TICK_MS <= TTL_MS -> cmd_age = age; out = true
        :: else -> skip
        fi
     fi
  :: what == M_ARM && !flooded ->
     if
     :: latched || gheld_age * TICK_MS > GUARD_DEAD_MAN_MS -> skip
     :: else -> armed = true; beat_age = age
     fi
  :: what == M_SAFE -> guard_safe(C_ENGINE, false)
  :: what == M_STOP -> guard_safe(C_ENGINE, true)
  :: what == M_RELEASE && !flooded -> if :: latched && cause != C_END -> latched = false; operator = false; cause = C_START; told = false :: else -> skip fi
  fi
}

/* a datagram of the engine: it comes at once (and overtakes what is on its way), is lost, or is late */
inline send(what) {
  if
  :: printf(" now"); guard_obey(what, 0); old = true
  :: SOMETIMES -> printf(" lost")
  :: wire == 0 && what != M_ARM && what != M_RELEASE -> printf(" late"); wire = what; wire_age = 0; old = false
  fi
}

inline go(t) {
  if :: st == ACTIVE && t != ACTIVE -> left_age = 0 :: else -> skip fi;
  st = t
}

/* the machine leaves or does not leave its state, and the outputs hear of it */
inline to_stop() {
  if
  :: CAN(st, SAFE_STOP) && st != SAFE_STOP -> go(SAFE_STOP); clear = false; link = false; send(M_STOP)
  :: else -> clear = false
  fi
}
inline rest(t) { go(t); if :: link -> link = false; send(M_SAFE) :: else -> skip fi }

inline fault() {
  if
  :: CAN(st, SAFE_STOP) && ((RUNNING_STATES >> st) & 1) -> to_stop()
  :: st == SAFE_STOP -> clear = false     /* what is still found is a cause that is not gone */
  :: else -> skip
  fi
}

inline look() {
  if
  :: !armed && (link || latched) && cause != C_ENGINE && !told ->
     link = false; told = true; fresh = true;
     if
     :: latched && cause == C_OPERATOR -> printf(" tells"); to_stop()
     :: latched && cause != C_OPERATOR -> printf(" tells"); fault()
     :: !latched && st == ACTIVE -> printf(" tells"); rest(DEGRADED)
     :: else -> printf(" tells")
     fi
  :: !armed && link && (cause == C_ENGINE || told) -> link = false
  :: else -> skip
  fi;
  if :: owed -> owed = false; fresh = true; fault() :: else -> skip fi
}

/* what no longer matters is the same everywhere: fewer states, the same behaviour */
inline normal() {
  d_step {
    if :: !out -> cmd_age = 99 :: else -> skip fi;
    if :: !out && wire != M_CMD -> verdict_age = 99; left_age = 99 :: else -> skip fi;
    if :: !armed -> beat_age = 99 :: else -> told = false fi;
    if :: wire == 0 -> old = false; wire_age = 0 :: wire == M_SAFE || wire == M_STOP -> wire_age = 0 :: else -> skip fi;
    if :: st != SAFE_STOP -> clear = true :: else -> skip fi;
    if :: st != ESTOP -> open_ = false :: else -> skip fi;
    if :: !MOVING -> informed = false :: else -> skip fi;
    if :: holding && alive -> held_age = 0 :: else -> skip fi;
    if :: held_age * TICK_MS > DEAD_MAN_MS -> held_age = 99 :: else -> skip fi;
    if :: gheld_age * TICK_MS > GUARD_DEAD_MAN_MS -> gheld_age = 99 :: else -> skip fi
  }
}

inline properties() {
  assert(!out || armed);
  assert(!out || cmd_age * TICK_MS <= TTL_MS);                       /* no actuation without a fresh command */
  assert(!out || verdict_age * TICK_MS <= TTL_MS);                   /* ... which a verdict of the last TTL made */
  assert(!out || st == ACTIVE || left_age * TICK_MS <= TTL_MS);      /* none in another state, but for its rest */
  assert(!MOVING || informed);                                       /* no arming without all that is needed */
  assert(!pressed || !alive || IS_LATCHED(st));                      /* a stop is a stop, and stays */
  assert(alive || !out || dead_age * TICK_MS <= SAFE_WITHIN_MS);     /* engine gone: safe within the guard's time */
  assert(!(latched && armed));
  assert(!operator || latched);                                      /* the guard's stop is a person's to undo */
}

active proctype world() {
  d_step { fill_tables() }
  printf("EV begin"); SEE;
  do
  /* ---- persons ---- */
  :: atomic { ((alive && st != FATAL) || armed) && SELDOM ->
       printf("EV stop"); pressed = true;
       if
       :: alive -> if :: CAN(st, SAFE_STOP) || st == SAFE_STOP || st == ESTOP || st == FATAL -> to_stop()
                      :: else -> skip fi
       :: else -> skip
       fi; SEE }
  :: atomic { alive && SELDOM -> printf("EV guardstop"); pressed = true;
       guard_safe(C_OPERATOR, (GUARD_LATCHED >> C_OPERATOR) & 1); operator = latched && cause == C_OPERATOR; look(); SEE }
  :: atomic { alive && ((st == SAFE_STOP && clear) || (st == ESTOP && !open_)) ->
       printf("EV acknowledge"); assert(NEEDS_PERSON(st, (st == SAFE_STOP -> STANDBY : SELFTEST)) );
       go(STANDBY); pressed = false; send(M_RELEASE); owed = owed || latched; SEE }
  :: atomic { alive && st == STANDBY && USEFUL(!tested) -> printf("EV teststop"); tested = true; SEE }
  :: atomic { alive && USEFUL(st == STANDBY && tested && HELD) ->
       if
       :: printf("EV arm 1 1"); if :: st == STANDBY && tested && HELD && !fresh -> go(ARMED); informed = true :: else -> skip fi
       :: SOMETIMES -> printf("EV arm 0 1")
       :: SOMETIMES -> printf("EV arm 1 0")
       fi; SEE }
  :: atomic { alive && st == ARMED -> printf("EV start"); go(ACTIVE); SEE }
  :: atomic { !holding && (alive || armed) -> printf("EV hold"); holding = true; if :: !flooded -> gheld_age = 0 :: else -> skip fi; if :: alive -> held_age = 0 :: else -> skip fi; SEE }
  :: atomic { holding && (alive || armed) && SELDOM -> printf("EV release"); holding = false;
       if :: !flooded -> gheld_age = 99 :: else -> skip fi; if :: armed && !flooded -> guard_safe(C_DEAD_MAN, (GUARD_LATCHED >> C_DEAD_MAN) & 1) :: else -> skip fi;
       if :: alive -> held_age = 99; if :: MOVING -> to_stop() :: else -> skip fi :: else -> skip fi; SEE }
  :: atomic { holding && (alive || armed) && SELDOM -> printf("EV freeze"); holding = false; SEE }
  :: atomic { alive && st != FATAL && st != ESTOP && SELDOM -> printf("EV estop"); open_ = true; go(ESTOP); clear = true; link = false; send(M_STOP); SEE }
  :: atomic { alive && open_ && st == ESTOP -> printf("EV estopfree"); open_ = false; SEE }
  /* ---- the program ---- */
  :: atomic { alive && CAN(st, CALIBRATING) && SELDOM -> printf("EV calibrate"); go(CALIBRATING); SEE }
  :: atomic { alive && CAN(st, STANDBY) && !NEEDS_PERSON(st, STANDBY) && st != SELFTEST && st != STANDBY && SELDOM ->
       printf("EV finish"); rest(STANDBY); SEE }
  :: atomic { alive && ((RUNNING_STATES >> st) & 1) && SELDOM -> printf("EV fault"); fresh = true; fault(); SEE }
  :: atomic { alive && st == ACTIVE && SELDOM -> printf("EV degrade"); fresh = true; rest(DEGRADED); SEE }
  :: atomic { alive && st == ACTIVE && HELD -> printf("EV decide"); verdict_age = 0; owed = false;
       if
       :: !link ->
          if
          :: printf(" armnow"); guard_obey(M_ARM, 0); old = true; link = armed
          :: SELDOM -> printf(" armlost"); link = false
          fi; if :: link -> told = false :: else -> skip fi
       :: else -> skip
       fi;
       if
       :: link -> send(M_CMD)
       :: else -> fresh = true; fault()
       fi; SEE }
  :: atomic { alive && SELDOM && LAST -> printf("EV die"); alive = false; dead_age = 0; SEE }
  /* ---- the wire ---- */
  :: atomic { wire && (alive || armed) -> printf("EV deliver");
       if :: flooded && wire != M_SAFE && wire != M_STOP -> guard_obey(wire, wire_age)
          :: !(flooded && wire != M_SAFE && wire != M_STOP) && old -> guard_safe(C_MESSAGE, (GUARD_LATCHED >> C_MESSAGE) & 1); skip
          :: else -> guard_obey(wire, wire_age) fi;
       if :: wire = 0 :: printf(" again"); old = true fi; SEE }
  :: atomic { wire && (alive || armed) -> printf("EV vanish"); wire = 0; SEE }
  :: atomic { !flooded && (alive || armed) && LAST -> printf("EV flood"); if :: armed || !latched -> guard_safe(C_FLOOD, (GUARD_LATCHED >> C_FLOOD) & 1) :: else -> skip fi; flooded = true; SEE }
  /* ---- time ---- */
  :: atomic { alive || armed -> printf("EV tick"); fresh = false;
       OLDER(verdict_age, 3); OLDER(beat_age, 2); OLDER(cmd_age, 3); OLDER(gheld_age, 1); OLDER(held_age, 6); OLDER(left_age, 3);
       if :: wire -> wire_age++; if :: wire_age > 2 -> wire = 0; printf(" gone") :: else -> skip fi :: else -> skip fi;
       if :: !alive && dead_age < 9 -> dead_age++ :: else -> skip fi;
       if :: flooded -> if :: flooded = false; printf(" floodends") :: skip fi :: else -> skip fi;
       if :: holding -> if :: !flooded -> gheld_age = 0 :: else -> skip fi; if :: alive -> held_age = 0 :: else -> skip fi :: else -> skip fi;
       if
       :: alive -> printf(" beats"); if :: !flooded -> beat_age = 0; old = true :: else -> skip fi
       :: alive && SOMETIMES -> printf(" beatslost")
       :: !alive -> skip
       fi;
       if :: armed && beat_age * TICK_MS > DEADLINE_MS -> guard_safe(C_SILENCE, (GUARD_LATCHED >> C_SILENCE) & 1) :: else -> skip fi;
       if :: armed && gheld_age * TICK_MS > GUARD_DEAD_MAN_MS -> guard_safe(C_DEAD_MAN, (GUARD_LATCHED >> C_DEAD_MAN) & 1) :: else -> skip fi;
       if :: out && cmd_age * TICK_MS > TTL_MS -> out = false; cmd_age = 99 :: else -> skip fi;
       if :: alive && MOVING && !HELD -> to_stop() :: else -> skip fi;
       if :: alive -> look() :: else -> skip fi;
       SEE }
  :: atomic { alive && wire == 0 && (holding || !MOVING) && USEFUL(st == SAFE_STOP && !clear) -> printf("EV wait");
       flooded = false; clear = true; verdict_age = 99; cmd_age = 99; out = false; left_age = 99; beat_age = 0; old = true;
       if :: holding -> held_age = 0; gheld_age = 0 :: else -> held_age = 99; gheld_age = 99 fi;
       look(); fresh = false;
       if :: st == DEGRADED -> go(ACTIVE) :: else -> skip fi;
       if :: st == SAFE_STOP -> clear = true :: else -> skip fi;
       SEE }
  :: d_step { alive || armed -> properties() }
  :: !alive && !armed -> break     /* the engine is gone and the guard at rest: that is the end */
  od
}
