/*
 * The leases of sync = "lease": begins without a round trip that miss no commit.
 * README.md says what each step is in the code, and what is not modelled.
 *
 * One database with two keys, A and B. A clear of the cache is a delete of both, by a
 * fence of the whole; a fence of A or B alone is a fence of keys. Processes have states and
 * leases, writers live in processes. Messages do not appear: a process may hear of a fence at
 * any time, again, or never. Requests and acknowledgements may arrive late, twice or never.
 *
 * Time goes in ticks, for all clocks at once. TERM: for how long a state is used, from before it was asked
 * for. WAIT: after that, since a reply, all registrations that the reply knew are over.
 *
 * Faults are CRASH (the process of the first writer dies), LOSS (the hash is lost) and LATER. A
 * macro of the list in README.md takes a rule out; then an assertion must fail.
 */
#include "hash.pml"

/* ---- a process ---- */

#define USABLE(p) (state[LEASE(p)].number && process[p].left > 0)
inline drop(p) {
	forget(LEASE(p)); process[p].leaseEpoch = 0;
	if :: process[p].asking == 1 :: else -> process[p].left = 0 fi
}
inline end_request(p) {
	if :: USABLE(p) :: else -> process[p].left = 0 fi;
	process[p].asking = 0; process[p].older = false;
	forget(REPLY(p)); process[p].registered = false; process[p].replyEpoch = 0
}
inline send(p, kind) {
	end_request(p);
	process[p].asking = kind;
	if :: kind == 1 && !USABLE(p) -> process[p].left = TERM + 1 :: else fi
}

/* It keeps the state s, with the keys of the fences that it has heard of and that were placed later. */
inline keep(p, s, marks) {
	copy(LEASE(p), s);
	state[LEASE(p)].fenced = state[LEASE(p)].fenced | (marks)
}

#define WHOLEFENCED(s) ((state[s].fenced & 4) > 0)
#define LATER_KEYS(p, s, w) ((process[p].heard[w] > state[s].number) * writes[w])
#if W == 1
#define HEARD(p, s) LATER_KEYS(p, s, 0)
#else
#define HEARD(p, s) (LATER_KEYS(p, s, 0) | LATER_KEYS(p, s, 1))
#endif
#if defined(KEYREPLY)	/* what a reply shows is not marked with the keys of later fences */
#define MARKS(p) 0
#elif defined(KEYREFRESH)	/* ... of one that does not register */
#define MARKS(p) (HEARD(p, REPLY(p)) * (process[p].asking == 1))
#else
#define MARKS(p) HEARD(p, REPLY(p))
#endif
#ifdef LATEOLD	/* a reply is held although a fence or clear of the process has returned meanwhile */
#define OLDER(p) false
#else
#define OLDER(p) process[p].older
#endif
#ifdef HOLDACKED	/* a reply is held although the request was acknowledged */
#define ACKED(p) false
#else
#define ACKED(p) (process[p].sent <= process[p].acked)
#endif

inline answer(p) {
	if
	:: process[p].registered && !OLDER(p) && !ACKED(p) && process[p].left > 0 && !WHOLEFENCED(REPLY(p)) ->
		keep(p, REPLY(p), MARKS(p));
#ifdef FROMREPLY	/* the term counts from the reply */
		process[p].left = TERM + 1;
#endif
		process[p].leaseEpoch = process[p].replyEpoch
	:: process[p].asking == 2 && USABLE(p) && process[p].leaseEpoch == process[p].replyEpoch && state[LEASE(p)].number <= state[REPLY(p)].number ->
#ifdef KEYRENEW	/* a request that does not register renews the term */
		process[p].left = TERM + 1;
#endif
#ifdef SHOWREFRESH
		assert(!returned || !member[p].request || state[REPLY(p)].number < cleared[0]);
#endif
		keep(p, REPLY(p), MARKS(p))
	:: else
	fi;
	end_request(p)
}

/* It hears of a fence of keys: it marks the keys, if its state is of before. */
inline mark(p, w) {
	process[p].heard[w] = fence[w].placed;
	if :: state[LEASE(p)].number -> state[LEASE(p)].fenced = state[LEASE(p)].fenced | LATER_KEYS(p, LEASE(p), w) :: else fi
}

#ifdef KEYACKALL	/* an acknowledgement of a fence of keys ends the registration */
#define ACKNOWLEDGED(p, w) unregister(p)
#else
#define ACKNOWLEDGED(p, w) member[p].marked = member[p].marked | SET(w)
#endif
#ifdef KEYACKFIRST	/* a fence of keys is acknowledged before its keys are marked */
#define MARK(p, w) process[p].heard[w] = fence[w].placed
#else
#define MARK(p, w) mark(p, w)
#endif
/* It hears of a fence, then its acknowledgement arrives. Each may happen again, or never. */
#define hear(p, w) \
	atomic { !process[p].dead && fence[w].keys && fence[w].keys != WHOLE && process[p].heard[w] != fence[w].placed -> d_step { MARK(p, w) } }
#define heard(p, w) \
	atomic { member[p].request && fence[w].keys && !(member[p].marked & SET(w)) && NAMES(p, w) -> d_step { \
		ACKNOWLEDGED(p, w) } }

#ifdef ACKANY	/* an acknowledgement has no number */
#define ACKNOWLEDGES(p) (process[p].acked > 0)
#else
#define ACKNOWLEDGES(p) (member[p].request <= process[p].acked)
#endif

proctype Member(byte p) {
end:	do
	:: atomic { !process[p].dead && process[p].sent < R -> d_step { /* It asks, and holds nothing any more. */
#ifndef RENEWHOLD	/* a state is used while its successor is asked for */
		drop(p);
#endif
		process[p].sent++; send(p, 1) } }
	:: atomic { !process[p].dead && !process[p].asking && USABLE(p) -> d_step { /* It asks for a newer state, and goes on. */
		send(p, 2) } }
	:: atomic { process[p].asking && !state[REPLY(p)].number -> d_step { sync(p) } }
	:: atomic { !process[p].dead && state[REPLY(p)].number -> d_step { answer(p) } }
	:: atomic { process[p].sent > 0 && late < LATER -> d_step { /* One that was sent before arrives late, or again. */
		late++; register(p, process[p].sent) } }
	:: atomic { process[p].sent > 1 && late < LATER -> d_step {
		late++; register(p, (process[p].sent - 1)) } }
	:: atomic { !process[p].dead && USABLE(p) -> d_step { /* Begin, without a round trip. */
#ifdef SHOWGOESON
		assert(!returned || !member[p].request || state[LEASE(p)].number >= cleared[0]);
#endif
		begin(LEASE(p)); own(p) } }
	:: atomic { !process[p].dead && process[p].acked < process[p].sent -> d_step { /* It drops all, and acknowledges. */
#ifndef ACKFIRST	/* it drops later */
		drop(p);
#endif
		process[p].acked = process[p].sent } }
	:: atomic { member[p].request && ACKNOWLEDGES(p) -> d_step { /* That arrives, or arrives again. */
		unregister(p) } }
#ifdef READFIRST	/* the other step */
	:: atomic { process[p].asking == 1 && state[REPLY(p)].number && !process[p].registered -> d_step {
		register(p, process[p].sent); process[p].registered = (member[p].request == process[p].sent) } }
#endif
#ifdef EXPIRE	/* registrations expire by the clock of the server */
	:: atomic { member[p].request -> d_step { unregister(p) } }
#endif
#ifdef KEYLIFT	/* the end of a fence of keys ends their marks */
	:: atomic { USABLE(p) && state[LEASE(p)].fenced -> d_step { state[LEASE(p)].fenced = STANDING & state[LEASE(p)].fenced } }
#endif
	:: hear(p, 0)
	:: heard(p, 0)
#if W > 1
	:: hear(p, 1)
	:: heard(p, 1)
#endif
	od
}

/* ---- a writer ---- */

#define home process[HOME(w)]

#ifdef KEYOLDER	/* the state of a fence or clear replaces a newer one */
#define NEWER(w) false
#else
#define NEWER(w) (state[LEASE(HOME(w))].number > state[OWN(w)].number)
#endif
#ifdef KEYCLEAR	/* the state of a fence or clear is not marked with the keys of later fences */
#define OWNMARKS(w) 0
#else
#define OWNMARKS(w) HEARD(HOME(w), OWN(w))
#endif

/* Fence or Clear returns, and its own process goes on with the state of the reply. */
inline returns(w) {
	if
	:: NEWER(w)
	:: !NEWER(w) && USABLE(HOME(w)) && home.leaseEpoch == answeredIn && !WHOLEFENCED(OWN(w)) ->
		keep(HOME(w), OWN(w), OWNMARKS(w))
	:: else -> drop(HOME(w))
	fi;
	if :: home.asking == 1 -> home.older = true :: else fi
}

proctype Writer(byte w) {
	byte answeredIn;	/* the epoch of the last reply */

	/* What it writes. */
	atomic {
		if
		:: ONE(w) & 1 -> writes[w] = A
		:: ONE(w) & 2 -> writes[w] = B
		:: ONE(w) & 4 -> writes[w] = WHOLE
		fi
	};

ask:	/* Fence: place or renew, and see who is outstanding. */
	atomic {
		if
		:: home.dead -> goto died
		:: else -> d_step {
			place(w, writes[w]);
			read(OWN(w)); answeredIn = epoch;
			if :: MAYCOMMIT(w) -> committing = committing | SET(w) :: else fi }
		fi
	};
	atomic {
		if
		:: home.dead -> goto died
		:: !(committing & SET(w)) -> goto ask
		:: !(committing & SET(w)) -> goto unfence	/* It gives up. */
		:: committing & SET(w) -> d_step { /* Fence returns: its own process shows the fence. */
#ifndef OWNFENCE	/* it does not */
			returns(w);
#endif
			forget(OWN(w)); answeredIn = 0;
			pending = pending | SET(w) }
		fi
	};
	/* The database's commit. */
	atomic { !(pending & SET(w)) -> if :: home.dead -> goto died :: else fi };
	/* Clear. */
	atomic {
		if
		:: home.dead -> goto died
		:: else -> d_step {
			changed(); delete(writes[w]); lift(w); filled();
			cleared[w] = number; committing = WITHOUT(committing, SET(w));
			read(OWN(w)); answeredIn = epoch }
		fi
	};
	atomic {
		if
		:: home.dead -> goto died
		:: else -> d_step { /* Clear returns: its own process shows it. */
#ifndef OWNCLEAR	/* it goes on with the old one */
			returns(w);
#endif
			returned = returned | SET(w); forget(OWN(w)); answeredIn = 0 }
		fi
	};
	goto ended;

unfence: forget(OWN(w)); answeredIn = 0;
	atomic { if :: fence[w].keys -> d_step { changed(); lift(w); filled() } :: else fi };
	goto ended;
died:	forget(OWN(w)); answeredIn = 0; /* Its fence expires when the commit can no longer take effect, and that is a clear. */
	atomic { !(pending & SET(w)) -> if :: fence[w].keys -> d_step {
		changed();
#ifndef LAPSELIFT	/* it is lifted, and nothing is cleared */
		delete(writes[w]);
#endif
		lift(w); filled() } :: else fi; committing = WITHOUT(committing, SET(w)) };
ended:	skip
}

/* ---- the world ---- */

#ifdef SURVIVE	/* a fence that survives the loss of the hash counts from before all registrations */
#define SURVIVES 0
#else
#define SURVIVES fence[i].serial
#endif
inline lose(survive) {
	epoch++; changed(); delete(WHOLE);
	serial = 1;
#ifndef NOUNKNOWN	/* a new hash knows of nobody */
	unknown = true;
#endif
	i = 0;
	do :: i < P -> unregister(i); i++ :: else -> break od;
	i = 0;
	do
	:: i < W ->
		if
		:: fence[i].keys && survive -> fence[i].serial = SURVIVES; fence[i].placed = number
		:: fence[i].keys && !survive -> lift(i)
		:: else
		fi;
		i++
	:: else -> break
	od;
	i = 0;
	filled()
}
inline over(p) {
	if
#ifdef OVEREPOCH	/* what is over in one epoch is over in another */
	:: true ->
#else
	:: process[p].noteEpoch == epoch ->
#endif
		unknown = false;
		i = 0;
		do :: i < P -> if :: REMOVES(process[p].noteSerial, i) -> unregister(i) :: else fi; i++ :: else -> break od;
		i = 0
	:: else
	fi;
	process[p].noteEpoch = 0; process[p].noteSerial = 0
}
/* A process notes what a reply that comes now knows; when that is over, it says so. */
#ifdef NOTESEND	/* the time of a note counts from before */
#define LEFT(p) process[p].noteLeft
#else
#define LEFT(p) WAIT
#endif
#define note(p) \
	atomic { !process[p].dead && (NOTES & SET(p)) && USEFUL(serial) -> d_step { \
		process[p].noteEpoch = epoch; process[p].noteSerial = serial; process[p].noteLeft = LEFT(p) } } \
	:: atomic { !process[p].dead && process[p].noteSerial && process[p].noteLeft == 0 -> d_step { over(p) } }
inline tick() {
	i = 0;
	do
	:: i < P ->
		if :: process[i].left > 1 -> process[i].left-- :: process[i].left == 1 -> process[i].left = 0; drop(i) :: else fi;
		if :: process[i].noteLeft > 0 -> process[i].noteLeft-- :: else fi;
		i++
	:: else -> break
	od;
	i = 0
}

proctype World() {
	byte losses;
end:	do
	:: d_step { tick() }
	:: atomic { pending & SET(0) -> if :: visible = visible | SET(0) :: skip fi; pending = WITHOUT(pending, SET(0)) }
#if W > 1
	:: atomic { pending & SET(1) -> if :: visible = visible | SET(1) :: skip fi; pending = WITHOUT(pending, SET(1)) }
#endif
#ifdef NOTESEND
	:: atomic { process[0].noteSerial == 0 -> process[0].noteLeft = WAIT }
#endif
	:: note(0)
#if P > 1
	:: note(1)
#endif
#ifdef LOSS
	:: atomic { losses == 0 -> d_step { losses++; lose(true) } }
	:: atomic { losses == 0 && !committing && !pending -> d_step { losses++; lose(false) } }
#endif
#ifdef CRASH
	:: atomic { !process[0].dead -> d_step { process[0].dead = true; drop(0) } }
#endif
	od
}

init { atomic {
	if :: unknown = true :: unknown = false fi;	/* it is new, or not */
	filled();
	run World();
	i = 0;
	do :: i < P -> if :: (MEMBERS & SET(i)) -> run Member(i) :: else fi; i++ :: else -> break od;
	i = 0;
	do :: i < W -> run Writer(i); i++ :: else -> break od;
	i = 0
} }
