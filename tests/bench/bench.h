/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the benchmark share: the data that is sent, the cases, the
 * transports and the results. bench.c is the program.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KIB		1024UL
#define MIB		(1024UL * KIB)
#define MAX_RECORD	(16 * KIB)
#define MAX_CONNS	64
#define MAX_REPEATS	32
#define MAX_CASES	32
#define MAX_TRANSPORTS	7

/**
 * struct options - of the command line
 * @instructions: the clock counts instructions, one a nanosecond (QEMU -icount)
 * @cards: through simulated network cards instead of loopback
 * @tls13: TLS 1.3, else 1.2
 * @key_bits: 128 or 256
 * @repeats: of the whole list of cases
 * @bytes: sent in a case, except @file and small messages
 * @file: bytes of the file for sendfile
 * @sockets: connections for the measurement of memory; 0: none
 * @only: cases whose name contains this; NULL: all
 * @exactly: only the case of this name; NULL: all
 * @transports: names, comma-separated; NULL: all
 * @json: file for the results; NULL: none
 */
struct options {
	bool instructions;
	bool cards;
	bool tls13;
	int key_bits;
	int repeats;
	size_t bytes;
	size_t file;
	int sockets;
	const char *only;
	const char *exactly;
	const char *transports;
	const char *json;
};

extern struct options options;

/* A growing array of bytes. */
struct buffer {
	uint8_t *data;
	size_t len;
	size_t size;
};

void buffer_add(struct buffer *b, const void *data, size_t len);
void buffer_free(struct buffer *b);
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
uint64_t now_ns(void);

/*
 * data.c: every stream that is measured carries the same bytes, so each byte can
 * be checked from its position.
 */
#define DATA_CHUNK	(256 * KIB)

void data_init(void);
const uint8_t *data_at(uint64_t pos);	/* at least DATA_CHUNK bytes */
int data_file(size_t len);

/*
 * records.c: TLS records made and opened with libcrypto alone, to be replayed, and
 * to check what a transport puts on the wire.
 */
union key_info;

#define TO_B	0	/* direction of keys: from end A to end B */
#define TO_A	1

const void *records_key(int direction, unsigned int *len);
void records_seal(int direction, size_t record, size_t len, struct buffer *out);
void records_frame(size_t record, size_t len, struct buffer *out);
const char *records_open(int direction, const struct buffer *wire, struct buffer *plain);

/**
 * enum ends - which ends of a connection speak TLS
 * @BOTH: both
 * @TX: the sender; the receiver is a plain socket and discards what comes
 * @RX: the receiver; the sender is a plain socket and replays ciphertext
 */
enum ends { BOTH, TX, RX };

struct transport;

/**
 * struct end - of a connection
 * @fd: TCP socket
 * @session: of a TLS library
 */
struct end {
	int fd;
	void *session;
};

/**
 * struct transport - a way to carry bytes
 * @name: as printed
 * @in_kernel: sends and receives with the socket's own system calls
 * @in_card: its cipher is a network card's
 * @open: make TLS of a plain connection; returns NULL or the reason why not.
 *	Asked with BOTH on a connection of its own to see whether it can run at all
 * @send: bytes sent, all of them unless it failed
 * @recv: bytes, 0, or -1 and errno
 * @capture: the ciphertext of what the sender would send; only without @in_kernel
 * @close: free @session of both ends
 */
struct transport {
	const char *name;
	bool in_kernel;
	bool in_card;
	const char *(*open)(struct end *a, struct end *b, enum ends ends);
	ssize_t (*send)(struct end *e, const void *data, size_t len);
	ssize_t (*recv)(struct end *e, void *data, size_t len);
	void (*capture)(struct end *e, size_t record, size_t len, struct buffer *out);
	void (*close)(struct end *e);
};

extern const struct transport plain_transport, kseal_transport, tls_transport;
extern const struct transport openssl_transport, gnutls_transport;
extern const struct transport kseal_card_transport, tls_card_transport;

/* transport.c */
void connect_pairs(struct end *a, struct end *b, int n);
void close_pairs(const struct transport *t, struct end *a, struct end *b, int n);

/* cards.c */
void cards_enter(const char *end);
void cards_prepare(const struct transport *t, bool cipher);
const char *cards_check(const struct transport *t, enum ends ends);

/* userspace.c */
void userspace_init(void);

/**
 * enum kind - what a case does
 * @BULK: send() of @write bytes again and again, recv() of @read bytes
 * @SENDFILE: of a cached file; a TLS library reads it and sends what it has read
 * @STREAM: as BULK, with messages instead of bytes as the unit
 * @PINGPONG: @write bytes, answered with as many
 */
enum kind { BULK, SENDFILE, STREAM, PINGPONG };

/**
 * struct bench_case - what is measured
 * @name: as printed
 * @kind: what is done
 * @ends: which ends speak TLS
 * @write: bytes at a time; for RX the size of a record
 * @read: bytes at a time
 * @conns: connections, in turn; more than one: the receiver uses epoll
 * @cards: it is measured through cards, too
 * @overhead: target: kseal's overhead against tls.ko's; 0: none
 * @whole_tls: target: kseal's whole cost against tls.ko's
 * @whole_openssl: target: the same against OpenSSL's
 */
struct bench_case {
	const char *name;
	enum kind kind;
	enum ends ends;
	size_t write;
	size_t read;
	int conns;
	bool cards;
	double overhead;
	double whole_tls;
	double whole_openssl;
};

/* Of @struct bench_case: the plaintext of a record. */
static inline size_t record_size(const struct bench_case *c)
{
	return c->write < MAX_RECORD ? c->write : MAX_RECORD;
}

/* measure.c */
double measure(const struct transport *t, const struct bench_case *c);
const char *verify(const struct transport *t, const struct bench_case *c);
bool idle_is_exact(void);

/**
 * struct aead_cost - the cipher alone, in the kernel
 * @driver: name of the implementation; empty: not known
 * @size: bytes of a record
 * @seal: nanoseconds a byte
 * @open: nanoseconds a byte
 */
struct aead_cost {
	char driver[64];
	struct {
		size_t size;
		double seal;
		double open;
	} at[8];
	int n;
};

/* floors.c */
const char *aead_measure(struct aead_cost *cost);
double aead_floor(const struct aead_cost *cost, const struct bench_case *c);

/**
 * struct memory_cost - bytes for a socket with keys, beyond those of a plain one
 * @keyed: with both keys
 * @used: after a record of 16 KiB in each direction
 */
struct memory_cost {
	double keyed;
	double used;
};

struct memory_cost memory_measure(const struct transport *t, int sockets);

/**
 * struct results - all that was measured
 * @transports: that ran
 * @tests: that were asked for
 * @nr_transports: how many
 * @nr_tests: how many
 * @repeats: how many have been made
 * @samples: nanoseconds a byte or a message, by test, transport and repeat
 * @skipped: reasons, by transport; NULL: it ran
 * @aead: the cipher alone
 * @aead_missing: why that is not known; NULL: it is
 * @memory: by transport
 * @have_memory: it was measured
 */
struct results {
	const struct transport *transports[MAX_TRANSPORTS];
	const char *skipped[MAX_TRANSPORTS];
	const struct bench_case *tests[MAX_CASES];
	int nr_transports;
	int nr_tests;
	int repeats;
	double samples[MAX_CASES][MAX_TRANSPORTS][MAX_REPEATS];
	struct aead_cost aead;
	const char *aead_missing;
	struct memory_cost memory[MAX_TRANSPORTS];
	bool have_memory;
};

/* report.c */
void report_print(const struct results *r);
void report_json(const struct results *r, const char *path);

#endif /* BENCH_H */
