/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * kseal: TLS for TCP sockets, sealed in the kernel, keyed by an agent.
 *
 * This header is the whole contract between the kernel module, the agent
 * (kseald), the tools and applications.
 *
 * Arming a socket
 * ---------------
 *
 *	setsockopt(fd, IPPROTO_TCP, TCP_ULP, "kseal", 6);
 *	setsockopt(fd, SOL_TLS, KSEAL_PROFILE, "web", 4);
 *
 * What the first call does depends on the state of the socket:
 *
 *  - TCP_CLOSE or TCP_LISTEN: a sealed listener, once it listens. From here on
 *    accept() returns only connections whose TLS handshake the agent has
 *    completed; read() and write() on them carry plaintext, the wire carries TLS
 *    records. Nothing else of the socket API changes.
 *  - TCP_CLOSE, and then connect(): a sealed connector. connect() completes,
 *    blocking or not, when the agent has done the handshake as a client and
 *    verified the server; see below.
 *  - TCP_ESTABLISHED: the explicit mode, compatible with the kernel's own "tls"
 *    ULP: the application does the handshake itself and pushes keys with
 *    setsockopt(SOL_TLS, TLS_TX / TLS_RX, struct tls12_crypto_info_*).
 *
 * KSEAL_PROFILE names the agent's profile that serves the socket ("default"
 * unless set). It may be set until connect(); on a listener at any time, for the
 * connections that arrive from then on.
 *
 * A sealed connector needs to know whom it should reach:
 *
 *	setsockopt(fd, SOL_TLS, KSEAL_SERVER_NAME, "example.org", 11);
 *
 * a host name, or the text of an IP address. The server's certificate must be
 * valid for it; a name is also sent to the server (SNI). Without one the address
 * of connect() is what the certificate must be valid for. connect(), or SO_ERROR
 * after a connect() that did not block, says what became of it:
 *
 *	EKEYREJECTED	the server's certificate was not accepted
 *	EPROTO		no common version or cipher, or the server refused us
 *	ECONNRESET	the server closed the connection during the handshake
 *	ETIMEDOUT	it took too long (TCP, or the handshake)
 *	ECONNABORTED	the agent broke the handshake off, or went in the midst of it
 *	EACCES		the profile does not serve the owner of the socket
 *	ENOKEY		no agent, or it has no such profile
 *
 * besides TCP's own. The reason in words is in KSEAL_INFO. While it takes, all
 * calls act as on a socket that connects: those that may wait do, others get EAGAIN,
 * poll reports nothing. TCP_NODELAY, TCP_CORK and SO_RCVLOWAT may be set at any time and
 * do not hold up the handshake. What TCP could not connect may be tried again; a socket
 * whose handshake has begun can't be used for another connection, and connect()
 * then says the same again. TCP Fast Open is not possible: EOPNOTSUPP.
 *
 * Errors: ENOENT (module not loaded), EEXIST (the socket has a ULP already),
 * ENOTCONN (connection still being set up), EINVAL (malformed or too long name).
 *
 * Keys
 * ----
 *
 * TLS_TX and TLS_RX of <linux/tls.h> take the keys of a direction and its next
 * record number: AES-128-GCM, AES-256-GCM, AES-128-CCM, ChaCha20-Poly1305, SM4-GCM
 * and SM4-CCM for TLS 1.2 and 1.3, ARIA-GCM for TLS 1.2, as far as the kernel has
 * the algorithms (else ENOENT). KSEAL_TX_SECRET and KSEAL_RX_SECRET take the TLS 1.3
 * application traffic secret of the same direction (RFC 8446 section 7.1); with
 * it the kernel answers and starts KeyUpdates by itself. A secret is accepted
 * after its direction has been keyed. ARIA has no suites of TLS 1.3: its
 * secrets are EINVAL, as are all of TLS 1.2. Neither the keys of a sealed socket nor
 * any secret can be read back.
 *
 * In the explicit mode the application can, as with the "tls" ULP of Linux 6.14 and
 * later,
 *
 *  - set the next key of a TLS 1.3 direction after it has sent or received a
 *    KeyUpdate, if it has not given a secret. Between a KeyUpdate received and
 *    TLS_RX, reads fail with EKEYEXPIRED and poll does not report the socket as
 *    readable. A secret of the key before is forgotten. EBUSY in TLS 1.2; EINVAL
 *    for another version or cipher;
 *  - get its own key back, with nonce and record number as they are now;
 *  - limit the plaintext of the records it sends (TLS_TX_MAX_PAYLOAD_LEN, 5 where
 *    <linux/tls.h> does not name it; u16, 64, or 63 in TLS 1.3, to 16384; RFC 8449).
 *    EBUSY while a record is open (MSG_MORE). The agent sets it as well, on its
 *    proxy;
 *  - limit the plaintext of the records it receives (KSEAL_RX_MAX_PAYLOAD_LEN, u16,
 *    the same range; padding counts), once the peer has been told of the limit. A
 *    longer record is refused like one beyond the protocol's own limit: EMSGSIZE, and
 *    on a sealed socket the alert record_overflow. The agent sets this one, too.
 *
 * When a key has protected as many records as it may (RFC 8446 section 5.5, RFC
 * 9147 section 4.5.3 for CCM) and there is no secret to go on from, send fails with
 * EKEYEXPIRED; in the explicit mode of TLS 1.3 a handshake record may still be sent,
 * for the KeyUpdate.
 *
 * What there is to know of a sealed socket
 * ---------------------------------------
 *
 * getsockopt(fd, SOL_TLS, KSEAL_INFO) fills in a struct kseal_info, as much of it
 * as there is room for: what was negotiated, who the peer is, how much has passed,
 * and, if the connection has come to a bad end, why.
 *
 * setsockopt(fd, SOL_TLS, KSEAL_REKEY) with a u32 of enum kseal_rekey makes TLS 1.3
 * go on with the next key of our direction, and asks the peer for its own if wished,
 * unless it has yet to answer when it was asked before.
 * The kernel does the first by itself before a key's limit. EOPNOTSUPP without the
 * secrets for it, and in TLS 1.2; ENOTCONN before the socket is sealed. If the send
 * buffer is full it happens before the next application data goes out.
 *
 * The agent's conversation (generic netlink family "kseal", version 1)
 * --------------------------------------------------------------------
 *
 * A worker opens a generic netlink socket and sends REGISTER. The kernel sends
 * it a READY notification when a connection waits; any registered worker may
 * then call ACCEPT, which hands it the oldest waiting connection, or EAGAIN:
 *
 *	worker			kernel
 *	REGISTER		->
 *				<- READY		(unicast, to one worker)
 *	ACCEPT			->
 *				<- ACCEPT reply		(ID, FD, PROFILE, ...)
 *	   handshake on FD, then setsockopt(FD, SOL_TLS, TLS_TX ...) and TLS_RX
 *	DONE (ID, STATUS 0)	->			(connection handed on)
 *  or	DONE (ID, STATUS errno)	->			(connection closed)
 *
 * FD is a proxy of the connection: recv, send, poll, getpeername, getsockname
 * and the socket options above. A recv() never returns bytes beyond the current
 * TLS record, so nothing that follows the handshake is ever taken from the
 * stream. The kernel revokes FD (every copy of it) when the worker says DONE,
 * when the deadline passes and when the worker's netlink socket closes; calls
 * then fail with ESHUTDOWN and poll reports EPOLLHUP.
 *
 * Closing FD before DONE, or the netlink socket, leaves the connection to
 * another worker if no byte of it was consumed or sent, else aborts it.
 *
 * A connection of a sealed connector has ROLE KSEAL_ROLE_CLIENT and may have a
 * SERVER_NAME. The errno in STATUS is what connect() returns, REASON is for
 * KSEAL_INFO. With STATUS 0, DONE may also say how the connection is to be treated:
 * TOLERATE_TRUNCATION, PREAMBLE.
 *
 * What a TLS 1.3 server sends to resume from (NewSessionTicket, RFC 8446 section
 * 4.6.1) comes after the handshake; the kernel sends each as a TICKET notification
 * to the worker that did it, if that is still there, under the same ID, as soon as
 * the application reads or polls: up to 32 of a connection, no longer than
 * KSEAL_TICKET_MAX. There is no answer.
 *
 * READY is sent for each connection that begins to wait, to the worker that holds the
 * fewest; to those that hold as many, in turn. Some may be lost when a worker's
 * receive buffer is full, so a worker that has read one calls ACCEPT until EAGAIN.
 *
 * REGISTER, ACCEPT, DONE, REKEY and the dumps need CAP_NET_ADMIN in the network
 * namespace of the socket, and see that namespace only.
 */
#ifndef _UAPI_LINUX_KSEAL_H
#define _UAPI_LINUX_KSEAL_H

#include <linux/types.h>

#define KSEAL_ULP_NAME		"kseal"
#define KSEAL_GENL_NAME		"kseal"
#define KSEAL_GENL_VERSION	1

#define KSEAL_PROFILE_MAX	64	/* bytes, with the terminating zero */
#define KSEAL_PROFILE_DEFAULT	"default"
#define KSEAL_SECRET_MAX	48	/* bytes: SHA-384 */
#define KSEAL_NAME_MAX		256	/* server name, with the terminating zero */
#define KSEAL_ALPN_MAX		256	/* with the terminating zero */
#define KSEAL_IDENTITY_MAX	1024	/* subject, names, with the terminating zero */
#define KSEAL_FINGERPRINT_LEN	32	/* SHA-256 of the peer's certificate */
#define KSEAL_REASON_MAX	256	/* with the terminating zero */
#define KSEAL_PREAMBLE_MAX	4096	/* bytes */
#define KSEAL_TICKET_MAX	16384	/* bytes of a NewSessionTicket */

/*
 * Socket options at level SOL_TLS, beside those of <linux/tls.h>, far above the
 * numbers that the kernel uses.
 */
#define KSEAL_PROFILE		0x4b01	/* string; set and get */
#define KSEAL_TX_SECRET		0x4b02	/* 32 or 48 bytes; set only */
#define KSEAL_RX_SECRET		0x4b03	/* 32 or 48 bytes; set only */
#define KSEAL_SERVER_NAME	0x4b04	/* string; set and get; before connect() */
#define KSEAL_INFO		0x4b05	/* struct kseal_info; get only */
#define KSEAL_REKEY		0x4b06	/* u32, enum kseal_rekey; set only */
#define KSEAL_RX_MAX_PAYLOAD_LEN 0x4b07	/* u16; set and get */
#define KSEAL_OFFLOAD		0x4b08	/* u32, enum kseal_offload; set and get */

/**
 * enum kseal_offload - whether a network device does the cryptography
 * @KSEAL_OFFLOAD_AUTO: each direction, if the device and its driver can
 * @KSEAL_OFFLOAD_ON: it has to: setting a key for which that is not possible fails
 *	with EOPNOTSUPP, and there is no key. Later the device may go away all the
 *	same; the records are then sealed and opened in software
 * @KSEAL_OFFLOAD_OFF: never
 *
 * May be set before the first key; EBUSY afterwards. Connections inherit that of
 * their listener; the agent may set it on its proxy. kseal_offload.ko has to be
 * loaded (Documentation/offload.rst).
 */
enum kseal_offload {
	KSEAL_OFFLOAD_AUTO,
	KSEAL_OFFLOAD_ON,
	KSEAL_OFFLOAD_OFF,
};

/*
 * KSEAL_A_OFFLOAD, struct kseal_info.offload: what a device does now, and what one has
 * done until it went; a direction with neither has never had one.
 */
#define KSEAL_OFFLOAD_TX	(1 << 0)
#define KSEAL_OFFLOAD_RX	(1 << 1)
#define KSEAL_OFFLOAD_TX_LOST	(1 << 2)
#define KSEAL_OFFLOAD_RX_LOST	(1 << 3)

/**
 * enum kseal_cmd - commands of the generic netlink family
 * @KSEAL_CMD_REGISTER: the sender becomes a worker of its network namespace.
 * @KSEAL_CMD_READY: notification: a connection waits for its handshake.
 * @KSEAL_CMD_ACCEPT: take the oldest waiting connection. Reply: ID, FD, ROLE,
 *	PROFILE, LOCAL, PEER, TIMEOUT, UID, GID; SERVER_NAME if ROLE is client.
 *	EAGAIN when none waits, ENOTCONN when the sender is not registered.
 * @KSEAL_CMD_DONE: ID, STATUS; with STATUS 0 also SERVER_NAME, ALPN, GROUP, RESUMED,
 *	PEER_SUBJECT, PEER_NAMES, PEER_FINGERPRINT as known, TOLERATE_TRUNCATION,
 *	PREAMBLE (server only); otherwise REASON, and the connection is closed: by a
 *	reset with STATUS ETIMEDOUT, as at the kernel's own deadline. EINVAL (with an
 *	extended ack) and an aborted connection when a direction has no key or the
 *	proxy stopped inside a record; ENOENT when the handshake is over already
 *	(deadline, client gone).
 * @KSEAL_CMD_MODULE_GET: reply: VERSION, ULP_NAME, CIPHERS.
 * @KSEAL_CMD_WORKER_GET: dump: PORTID, PID, ACTIVE.
 * @KSEAL_CMD_LISTENER_GET: dump: ID, LOCAL, PROFILE, UID, GID, HELD, READY,
 *	BACKLOG.
 * @KSEAL_CMD_HANDSHAKE_GET: dump: ID, ROLE, LOCAL, PEER, PROFILE, SERVER_NAME (of a
 *	connector), UID, GID, TIMEOUT, PORTID (0 while it waits).
 * @KSEAL_CMD_SOCKET_GET: dump of sealed sockets: ID, ROLE, LOCAL, PEER, PROFILE,
 *	TLS_VERSION, TLS_CIPHER, SERVER_NAME, ALPN, GROUP, RESUMED, PEER_SUBJECT,
 *	PEER_NAMES, PEER_FINGERPRINT, TX_RECORDS, RX_RECORDS, TX_BYTES, RX_BYTES,
 *	TX_REKEYS, RX_REKEYS, TX_ALERT, RX_ALERT (as far as there was one), UID, GID,
 *	OFFLOAD, OFFLOAD_POLICY, OFFLOAD_IFINDEX (if there is a device).
 * @KSEAL_CMD_REKEY: ID of a sealed socket, REKEY: as the socket option KSEAL_REKEY.
 *	ENOENT if there is no such socket.
 * @KSEAL_CMD_TICKET: notification: ID, MESSAGE: a NewSessionTicket has come.
 */
enum kseal_cmd {
	/* private: */
	KSEAL_CMD_UNSPEC,
	/* public: */
	KSEAL_CMD_REGISTER,
	KSEAL_CMD_READY,
	KSEAL_CMD_ACCEPT,
	KSEAL_CMD_DONE,
	KSEAL_CMD_MODULE_GET,
	KSEAL_CMD_WORKER_GET,
	KSEAL_CMD_LISTENER_GET,
	KSEAL_CMD_HANDSHAKE_GET,
	KSEAL_CMD_SOCKET_GET,
	KSEAL_CMD_REKEY,
	KSEAL_CMD_TICKET,
	/* private: */
	__KSEAL_CMD_MAX
};

#define KSEAL_CMD_MAX (__KSEAL_CMD_MAX - 1)

/**
 * enum kseal_attr - attributes of all commands
 * @KSEAL_A_PAD: alignment of 64-bit attributes
 * @KSEAL_A_ID: u64, a handshake (ACCEPT, DONE) or a socket (dumps)
 * @KSEAL_A_FD: s32, the proxy
 * @KSEAL_A_ROLE: u32, &enum kseal_role
 * @KSEAL_A_PROFILE: string
 * @KSEAL_A_SERVER_NAME: string, the name asked for (SNI)
 * @KSEAL_A_LOCAL: binary, struct sockaddr_in or sockaddr_in6
 * @KSEAL_A_PEER: binary, struct sockaddr_in or sockaddr_in6
 * @KSEAL_A_TIMEOUT: u32, milliseconds left until the deadline
 * @KSEAL_A_UID: u32, owner of the listener or connector, in the caller's user
 *	namespace
 * @KSEAL_A_GID: u32
 * @KSEAL_A_STATUS: u32, 0 or a positive errno
 * @KSEAL_A_ALPN: string, the protocol agreed on
 * @KSEAL_A_RESUMED: flag
 * @KSEAL_A_PEER_SUBJECT: string, RFC 4514 name of the verified peer
 * @KSEAL_A_PEER_NAMES: string, its subject alternative names, comma-separated
 *	("DNS:a.test, URI:spiffe://b/c, IP:192.0.2.1")
 * @KSEAL_A_PEER_FINGERPRINT: binary, KSEAL_FINGERPRINT_LEN bytes
 * @KSEAL_A_VERSION: string, of the module
 * @KSEAL_A_ULP_NAME: string
 * @KSEAL_A_PORTID: u32, netlink port of a worker
 * @KSEAL_A_PID: u32, process of a worker, in the caller's pid namespace
 * @KSEAL_A_ACTIVE: u32, handshakes that a worker holds
 * @KSEAL_A_HELD: u32, connections held back by a listener
 * @KSEAL_A_READY: u32, sealed connections that wait for accept()
 * @KSEAL_A_BACKLOG: u32, what listen() allowed
 * @KSEAL_A_TLS_VERSION: u16, 0x0303 or 0x0304
 * @KSEAL_A_TLS_CIPHER: u16, TLS_CIPHER_* of <linux/tls.h>
 * @KSEAL_A_TX_RECORDS: u64, records sealed since the connection was sealed
 * @KSEAL_A_RX_RECORDS: u64
 * @KSEAL_A_TX_BYTES: u64, application bytes
 * @KSEAL_A_RX_BYTES: u64
 * @KSEAL_A_TX_REKEYS: u64, KeyUpdates sent, or next keys set
 * @KSEAL_A_RX_REKEYS: u64, KeyUpdates received, or next keys set
 * @KSEAL_A_CIPHERS: binary, u16 each: TLS_CIPHER_* that this kernel has
 * @KSEAL_A_GROUP: u16, the key exchange: NamedGroup (RFC 8446 section 4.2.7)
 * @KSEAL_A_REASON: string, why a handshake failed
 * @KSEAL_A_TOLERATE_TRUNCATION: flag: a FIN without close_notify is an end of file
 * @KSEAL_A_PREAMBLE: binary, what the application reads before the first byte of the
 *	peer, such as a header of the PROXY protocol
 * @KSEAL_A_MESSAGE: binary, a handshake message, its header included
 * @KSEAL_A_REKEY: u32, &enum kseal_rekey
 * @KSEAL_A_TX_ALERT: u8, the fatal alert that we sent, AlertDescription
 * @KSEAL_A_RX_ALERT: u8, the one that the peer sent
 * @KSEAL_A_OFFLOAD: u32, KSEAL_OFFLOAD_TX, KSEAL_OFFLOAD_RX and their _LOST
 * @KSEAL_A_OFFLOAD_POLICY: u32, &enum kseal_offload
 * @KSEAL_A_OFFLOAD_IFINDEX: u32, the device
 */
enum kseal_attr {
	/* private: */
	KSEAL_A_UNSPEC,
	/* public: */
	KSEAL_A_PAD,
	KSEAL_A_ID,
	KSEAL_A_FD,
	KSEAL_A_ROLE,
	KSEAL_A_PROFILE,
	KSEAL_A_SERVER_NAME,
	KSEAL_A_LOCAL,
	KSEAL_A_PEER,
	KSEAL_A_TIMEOUT,
	KSEAL_A_UID,
	KSEAL_A_GID,
	KSEAL_A_STATUS,
	KSEAL_A_ALPN,
	KSEAL_A_RESUMED,
	KSEAL_A_PEER_SUBJECT,
	KSEAL_A_PEER_NAMES,
	KSEAL_A_PEER_FINGERPRINT,
	KSEAL_A_VERSION,
	KSEAL_A_ULP_NAME,
	KSEAL_A_PORTID,
	KSEAL_A_PID,
	KSEAL_A_ACTIVE,
	KSEAL_A_HELD,
	KSEAL_A_READY,
	KSEAL_A_BACKLOG,
	KSEAL_A_TLS_VERSION,
	KSEAL_A_TLS_CIPHER,
	KSEAL_A_TX_RECORDS,
	KSEAL_A_RX_RECORDS,
	KSEAL_A_TX_BYTES,
	KSEAL_A_RX_BYTES,
	KSEAL_A_TX_REKEYS,
	KSEAL_A_RX_REKEYS,
	KSEAL_A_CIPHERS,
	KSEAL_A_GROUP,
	KSEAL_A_REASON,
	KSEAL_A_TOLERATE_TRUNCATION,
	KSEAL_A_PREAMBLE,
	KSEAL_A_MESSAGE,
	KSEAL_A_REKEY,
	KSEAL_A_TX_ALERT,
	KSEAL_A_RX_ALERT,
	KSEAL_A_OFFLOAD,
	KSEAL_A_OFFLOAD_POLICY,
	KSEAL_A_OFFLOAD_IFINDEX,
	/* private: */
	__KSEAL_A_MAX
};

#define KSEAL_A_MAX (__KSEAL_A_MAX - 1)

/**
 * enum kseal_role - which side of TLS a socket is
 * @KSEAL_ROLE_SERVER: accepted by a sealed listener
 * @KSEAL_ROLE_EXPLICIT: keyed by its application
 * @KSEAL_ROLE_CLIENT: connected by a sealed connector
 */
enum kseal_role {
	KSEAL_ROLE_SERVER = 1,
	KSEAL_ROLE_EXPLICIT = 2,
	KSEAL_ROLE_CLIENT = 3,
};

/**
 * enum kseal_rekey - whose keys are to change (RFC 8446 section 4.6.3)
 * @KSEAL_REKEY_OWN: our own
 * @KSEAL_REKEY_BOTH: the peer's too: a KeyUpdate with update_requested
 */
enum kseal_rekey {
	KSEAL_REKEY_OWN = 0,
	KSEAL_REKEY_BOTH = 1,
};

/* struct kseal_info.flags */
#define KSEAL_INFO_SEALED		(1 << 0)	/* the handshake is done */
#define KSEAL_INFO_RESUMED		(1 << 1)	/* from an earlier session */
#define KSEAL_INFO_PEER_CERTIFICATE	(1 << 2)	/* @peer_* are verified */
#define KSEAL_INFO_EOF			(1 << 3)	/* close_notify received */

#define KSEAL_ALERT_NONE		0xff

/**
 * struct kseal_info - value of the socket option KSEAL_INFO
 * @flags: KSEAL_INFO_*
 * @role: &enum kseal_role; 0 before listen() or connect() has made it one
 * @tls_version: 0x0303 or 0x0304, 0 while there are no keys
 * @tls_cipher: TLS_CIPHER_* of <linux/tls.h>
 * @group: NamedGroup, 0 if not known
 * @tx_alert: the fatal alert that we sent (AlertDescription, RFC 8446 section 6),
 *	KSEAL_ALERT_NONE if there was none
 * @rx_alert: likewise, the one that the peer sent
 * @tx_records: records sealed since the keys were set
 * @rx_records: records opened
 * @tx_bytes: application bytes in them
 * @rx_bytes: likewise
 * @tx_rekeys: KeyUpdates sent, or next keys set
 * @rx_rekeys: KeyUpdates received, or next keys set
 * @id: number of the socket, as the tools show it
 * @profile: of the agent; this and all that follow as known, else empty
 * @server_name: asked for by the client (SNI, or KSEAL_SERVER_NAME)
 * @alpn: protocol agreed on
 * @peer_subject: RFC 4514 name in the peer's certificate
 * @peer_names: its subject alternative names, see KSEAL_A_PEER_NAMES
 * @peer_fingerprint: SHA-256 of the certificate
 * @reason: of a connector's failure, in words
 * @offload: KSEAL_OFFLOAD_TX, KSEAL_OFFLOAD_RX and their _LOST
 * @offload_policy: &enum kseal_offload
 * @offload_ifindex: the device; 0 if there is none, or in another network namespace
 * @reserved: 0
 *
 * It may grow at its end; a caller that knows less gets less.
 */
struct kseal_info {
	__u32 flags;
	__u32 role;
	__u16 tls_version;
	__u16 tls_cipher;
	__u16 group;
	__u8 tx_alert;
	__u8 rx_alert;
	__u64 tx_records;
	__u64 rx_records;
	__u64 tx_bytes;
	__u64 rx_bytes;
	__u64 tx_rekeys;
	__u64 rx_rekeys;
	__u64 id;
	char profile[KSEAL_PROFILE_MAX];
	char server_name[KSEAL_NAME_MAX];
	char alpn[KSEAL_ALPN_MAX];
	char peer_subject[KSEAL_IDENTITY_MAX];
	char peer_names[KSEAL_IDENTITY_MAX];
	__u8 peer_fingerprint[KSEAL_FINGERPRINT_LEN];
	char reason[KSEAL_REASON_MAX];
	__u32 offload;
	__u32 offload_policy;
	__u32 offload_ifindex;
	__u32 reserved;
};

#endif /* _UAPI_LINUX_KSEAL_H */
