/*
 * The protocol of sync = "begin": each transaction asks for the state as it begins.
 * README.md says what each step is in the code, and what is not modelled.
 *
 * One database with one cache. Readers begin, load and fill at any speed. Writers fence,
 * commit and clear; they die at any step, their connections break within the commit, and
 * the hash is lost while no fence stands. A macro of the list in README.md takes a rule
 * out; then the assertion must fail.
 */
#ifndef R
#define R 2		/* readers, one transaction each */
#endif
#ifndef W
#define W 2		/* writers, one transaction each */
#endif
#define N 10		/* tokens are below */
#define SET(i) (1 << (i))
#define WITHOUT(a, b) ((a) & (255 - (b)))

/* ---- the hash of the database ---- */

byte token = 1, last = 1;	/* of the cache; the last that was given */
byte fenced;			/* writers whose fence stands */

/* ---- the service's own database ---- */

byte visible, pending;		/* commits */

/* ---- values: the commits that the oldest one shows that was filled under a token ---- */

byte value[N];			/* FILLED + commits; 0: there is none */
#define FILLED 128

byte abandoned;			/* writers whose fence is left to expire */
bool lost;

inline fill(t, shows) {
	if :: value[t] -> value[t] = value[t] & (FILLED + (shows)) :: else -> value[t] = FILLED + (shows) fi
}
inline start_generation() {
#ifdef REUSE	/* a clear removes values, and the token stays */
	value[token] = 0
#else
	last++; assert(last < N); token = last
#endif
}

proctype Reader() {
	byte need, t, snapshot;
	bool private;

#ifdef SYNCLATE	/* the snapshot is taken before the state is asked for */
	need = visible;
	snapshot = visible;
	atomic { t = token; private = (fenced > 0) };
#elif defined(SHARED)	/* the answer serves one who calls after it was sent */
	atomic { t = token; private = (fenced > 0) };
	need = visible;
	snapshot = visible;
#else
	need = visible;						/* Begin is called */
	atomic { t = token; private = (fenced > 0) };		/* Sync */
	snapshot = visible;					/* the first statement */
#endif
#ifdef FENCEDREAD	/* a cache is read although it is fenced */
	private = false;
#endif
	if
	:: private
	:: else ->
		if
		:: atomic { value[t] -> assert(WITHOUT(need, value[t]) == 0) }	/* a hit */
		:: fill(t, snapshot)						/* a miss: it loads and fills */
		fi
	fi
}

proctype Writer(byte w) {
	byte began, snapshot;
	bool publishes, doubt;

	atomic { began = token; if :: fenced -> began = 0 :: else fi };	/* Sync */
	snapshot = visible;
#if !defined(NOFENCE) && !defined(FENCELATE)	/* there is no fence; it is placed after the commit */
	if
	:: fenced = fenced | SET(w)				/* Fence */
	:: goto ended						/* it dies, or nothing was sent */
	fi;
#endif
#ifdef CLEAREARLY	/* the clear comes before the commit */
	atomic { fenced = WITHOUT(fenced, SET(w)); start_generation() };
#endif
	pending = pending | SET(w);				/* the database's commit is called */
	if
	:: atomic { !(pending & SET(w)) }			/* it has answered */
	:: doubt = true						/* the connection breaks */
	:: goto died
	fi;
#ifdef FENCELATE
	fenced = fenced | SET(w);
#endif
#ifndef DOUBTNOW	/* a commit in doubt is cleared at once */
	if :: doubt -> atomic { !(pending & SET(w)) } :: else fi;	/* a lease later it takes effect no more */
#endif
#ifndef CLEAREARLY
	if
	:: atomic {						/* Clear */
#ifdef WARMBLIND	/* what was set is published whatever was replaced */
		publishes = true;
#else
		publishes = (token == began && (fenced & SET(w)));
#endif
#ifdef ONELIFT	/* a clear lifts the fences of others too */
		fenced = 0;
#else
		fenced = WITHOUT(fenced, SET(w));
#endif
		start_generation(); began = token }
	:: goto died
	fi;
	if
	:: publishes && (visible & SET(w)) -> fill(began, snapshot | SET(w))	/* Publish, if the cache is Warm */
	:: skip
	fi;
#endif
	goto ended;
died:	abandoned = abandoned | SET(w);
ended:	skip
}

proctype World() {
	byte w;
end:	do
	/* the database carries a commit out, or not */
	:: atomic { pending -> if :: pending & SET(0) -> w = 0 :: pending & SET(1) -> w = 1 fi;
		if :: visible = visible | SET(w) :: skip fi; pending = WITHOUT(pending, SET(w)); w = 0 }
	/* a fence expires when the commit of its owner can take effect no more: that is a clear */
	:: atomic { (abandoned & fenced & (255 - pending)) ->
		if :: abandoned & fenced & (255 - pending) & SET(0) -> w = 0 :: abandoned & fenced & (255 - pending) & SET(1) -> w = 1 fi;
		fenced = WITHOUT(fenced, SET(w)); w = 0;
#ifndef LAPSELIFT	/* it is lifted, and nothing is cleared */
		start_generation()
#endif
		}
	/* the hash is lost */
	:: atomic { !lost && !fenced && !pending -> lost = true;
#ifdef COUNTED	/* tokens are counted from 1 again */
		last = 1; token = 1
#else
		start_generation()
#endif
		}
	od
}

init { byte i; atomic {
	run World();
	do :: i < R -> run Reader(); i++ :: else -> break od;
	i = 0;
	do :: i < W -> run Writer(i); i++ :: else -> break od
} }
