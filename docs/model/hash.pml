/*
 * What the processes of lease.pml share: settings, the hash of the database and the scripts
 * on it, the database, and values. Each script is one step.
 */
#ifndef P
#define P 2		/* processes */
#endif
#ifndef W
#define W 1		/* writers, one transaction each */
#endif
#ifndef R
#define R 1		/* registering requests of a process */
#endif
#ifndef LATER
#define LATER 0		/* requests that arrive late or again */
#endif
#ifndef TERM
#define TERM 1
#endif
#ifndef WAIT
#define WAIT 2
#endif
#ifdef ELSEWHERE	/* all writers live in a process of their own */
#define HOME(w) 0
#else
#define HOME(w) (w)
#endif
#ifndef MEMBERS
#define MEMBERS (P == 1 -> 1 : 2)	/* the set of processes that begin transactions */
#endif

#ifndef NOTES
#define NOTES 1		/* the set of processes that note what replies knew */
#endif

/* What writers may choose to write: 1 A, 2 B, 4 both, by a fence of the whole. */
#ifndef FIRST
#define FIRST (W == 1 -> 5 : 1)
#endif
#ifndef SECOND
#define SECOND 2
#endif
#define ONE(w) (w == 0 -> FIRST : SECOND)

#define K 2
#define A 1
#define B 2
#define WHOLE 7	/* both, by a fence of the whole */
#define N 16		/* numbers of changes are below */
#define SET(i) (1 << (i))
#define WITHOUT(a, b) ((a) & (255 - (b)))

typedef OneState {	/* backend.State */
	byte number;	/* of changes */
	byte gone[K];	/* for each key, the number of its last delete */
	byte fenced	/* the keys that it shows as fenced, or that were marked */
};

/* ---- the hash of the database ---- */

byte number = 1, epoch = 1, serial = 1;
byte gone[K] = 1;
bool unknown;		/* a new hash has one registration of those of whom it knows nothing */

typedef Fence {
	byte keys;	/* 0: it does not stand */
	byte serial;	/* of the last registration when it was placed */
	byte placed	/* the number of the change that placed it */
};
Fence fence[W];

typedef Registration {
	byte request;	/* 0: none */
	byte serial;
	byte marked	/* the fences of keys that the process has acknowledged */
};
Registration member[P];

/* ---- the service's own database ---- */

byte visible, pending;	/* commits of writers */
byte writes[W];		/* what they write */

/*
 * ---- values ----
 *
 * A value is the commits that it shows. Of the values of a key that were filled by
 * transactions whose state has this number, only the oldest matters: of one that begins as
 * soon as there is this number, if the key is not fenced then.
 */
typedef Fills { byte shows[K] };
Fills fill[N];		/* FILLED + commits; 0: there is none */
#define FILLED 128

/* ---- processes ---- */

typedef Process {
	bool dead;
	byte left;		/* ticks of the term */
	byte sent, acked;	/* registering requests */
	byte asking;		/* the request under way: 0 none, 1 registers, 2 does not */
	bool older;		/* a fence or clear of this process has returned since */
	bool registered;
	byte replyEpoch;
	byte leaseEpoch;
	byte heard[W];		/* for each fence of keys, the placing that it has heard of */
	byte noteEpoch, noteSerial, noteLeft	/* registrations that are over in noteLeft ticks */
};
Process process[P];
OneState state[2*P + W];	/* those that processes have: of leases, of replies, of replies to own fences and clears; number == 0: none */
#define LEASE(p) (p)
#define REPLY(p) (P + (p))
#define OWN(w) (2*P + (w))
byte returned, cleared[W];	/* writers whose call has returned, and the number of their delete */
byte committing;		/* writers whose Fence has found nobody outstanding, up to their clear */
byte late;

inline copy(to, from) {
	state[to].number = state[from].number; state[to].fenced = state[from].fenced;
	state[to].gone[0] = state[from].gone[0]; state[to].gone[1] = state[from].gone[1]
}
inline forget(s) { state[s].number = 0; state[s].fenced = 0; state[s].gone[0] = 0; state[s].gone[1] = 0 }

#if W == 1
#define WRITERS(k) (((writes[0] >> (k)) & 1))
#define STANDING (fence[0].keys)
#define WHOLESTANDS (fence[0].keys == WHOLE)
#else
#define WRITERS(k) (((writes[0] >> (k)) & 1) | (((writes[1] >> (k)) & 1) << 1))
#define STANDING (fence[0].keys | fence[1].keys)
#define WHOLESTANDS (fence[0].keys == WHOLE || fence[1].keys == WHOLE)
#endif

/* A transaction begins with the state s. */
byte i, j;
inline begin(s) {
	i = 0;
	do
	:: i < K ->
		if
		:: state[s].fenced & SET(i)
		:: else ->
			/* It finds values whose fill is not below the last delete. */
			j = state[s].gone[i];
			do
			:: j < N ->
				assert(!fill[j].shows[i] || WITHOUT(visible & WRITERS(i), fill[j].shows[i]) == 0);
				j++
			:: else -> break
			od;
			/* What it does not see as fenced is as new as all calls that have returned. */
			j = 0;
			do
			:: j < W ->
				assert(!((returned & SET(j)) && (writes[j] & SET(i))) || state[s].gone[i] >= cleared[j]);
				j++
			:: else -> break
			od
		fi;
		i++
	:: else -> break
	od;
	i = 0; j = 0
}

/* Its state is not older than those of clears that have returned to this process. */
inline own(p) {
	do
	:: i < W -> assert(HOME(i) != p || !(returned & SET(i)) || state[LEASE(p)].number >= cleared[i]); i++
	:: else -> break
	od;
	i = 0
}

/* ---- scripts: each is one step of the hash ---- */

inline changed() { number++; assert(number < N) }

/* Somebody else fills both keys as soon as there is this number. */
inline filled() {
	if :: !(STANDING & A) -> fill[number].shows[0] = FILLED + visible :: else fi;
	if :: !(STANDING & B) -> fill[number].shows[1] = FILLED + visible :: else fi
}

inline delete(keys) {
	if :: (keys) & A -> gone[0] = number :: else fi;
	if :: (keys) & B -> gone[1] = number :: else fi
}
inline read(s) { state[s].number = number; state[s].fenced = STANDING; state[s].gone[0] = gone[0]; state[s].gone[1] = gone[1] }

#ifdef OVERWRITE	/* a late request takes the place of a later one */
#define REPLACES(n, p) ((n) != member[p].request)
#elif defined(RESERIAL)	/* a repeated request gets a new serial number */
#define REPLACES(n, p) ((n) >= member[p].request)
#else
#define REPLACES(n, p) ((n) > member[p].request)
#endif
inline register(p, n) {
	if
	:: REPLACES(n, p) && !WHOLESTANDS ->
		serial++; member[p].request = n; member[p].serial = serial; member[p].marked = 0
	:: else
	fi
}
inline unregister(p) { member[p].request = 0; member[p].serial = 0; member[p].marked = 0 }

inline sync(p) {
	read(REPLY(p));
#ifndef READFIRST	/* it reads in one step, and registers in another */
	if :: process[p].asking == 1 -> register(p, process[p].sent) :: else fi;
#endif
	process[p].registered = (process[p].asking == 1 && member[p].request == process[p].sent);
	process[p].replyEpoch = epoch;
	begin(REPLY(p)) /* those who had called before it was sent */
}

inline place(w, keyset) {
	if
	:: fence[w].keys == 0 ->
		changed();
		fence[w].keys = keyset; fence[w].serial = serial; fence[w].placed = number; filled()
	:: else /* renewed */
	fi
}
inline lift(w) {
	fence[w].keys = 0; fence[w].serial = 0; fence[w].placed = 0;
	j = 0;
	do
	:: j < P ->
		member[j].marked = WITHOUT(member[j].marked, SET(w)); j++
	:: else -> break
	od;
	j = 0
}

#ifdef KEYREPLACED	/* an acknowledgement names the fence, but not its placing */
#define NAMES(p, w) process[p].heard[w]
#else
#define NAMES(p, w) (process[p].heard[w] == fence[w].placed)
#endif
#ifdef NOWAIT	/* a writer waits for nobody */
#define MAYCOMMIT(w) true
#else
#define MAYCOMMIT(w) (!OUTSTANDING(w))
#endif
#define WAITSFOR(w, p) (HOME(w) != p && member[p].request && member[p].serial <= fence[w].serial && !(member[p].marked & SET(w)))
/* A note is of use only if there is something to remove. */
#define REMOVES(s, p) (member[p].request && member[p].serial <= (s))
#if P == 1
#define OUTSTANDING(w) ((unknown && fence[w].serial > 0) || WAITSFOR(w, 0))
#define USEFUL(s) ((s) && (unknown || REMOVES(s, 0)))
#else
#define OUTSTANDING(w) ((unknown && fence[w].serial > 0) || WAITSFOR(w, 0) || WAITSFOR(w, 1))
#define USEFUL(s) ((s) && (unknown || REMOVES(s, 0) || REMOVES(s, 1)))
#endif
