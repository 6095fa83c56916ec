// SPDX-License-Identifier: GPL-2.0
/*
 * Socket options at level SOL_TLS: those of the kernel's own "tls" ULP and
 * kseal's. All other levels are TCP's. Keys go in; only an application that set
 * them itself can have them back, as it can from the "tls" ULP.
 */
#include <linux/tls.h>
#include <linux/uaccess.h>

#include "alert.h"
#include "cork.h"
#include "info.h"
#include "listen.h"
#include "offload.h"
#include "socket.h"
#include "sockopt.h"

#define RECORD_SIZE_LIMIT_MIN	64	/* RFC 8449 §4 */

/* A name, with or without its terminating zero, into @size bytes of zeros. */
static int get_name(char *name, size_t size, sockptr_t optval,
		    unsigned int optlen)
{
	size_t len;

	if (!optlen || optlen > size)
		return -EINVAL;
	if (copy_from_sockptr(name, optval, optlen))
		return -EFAULT;
	len = strnlen(name, optlen);
	if (!len || len == size)
		return -EINVAL;
	return len == optlen || len == optlen - 1 ? 0 : -EINVAL;
}

static int set_profile(struct kseal_sock *ks, sockptr_t optval,
		       unsigned int optlen)
{
	char name[KSEAL_PROFILE_MAX] = {};
	int err;

	if (ks->state != KSEAL_ARMED)
		return -EINVAL;
	err = get_name(name, sizeof(name), optval, optlen);
	if (err)
		return err;

	spin_lock_bh(&ks->listener->lock);
	memcpy(ks->listener->owner.profile, name, sizeof(name));
	spin_unlock_bh(&ks->listener->lock);
	return 0;
}

static int set_server_name(struct kseal_sock *ks, sockptr_t optval,
			   unsigned int optlen)
{
	char *name;
	int err;

	if (ks->state != KSEAL_ARMED)
		return -EINVAL;
	name = kzalloc(KSEAL_NAME_MAX, GFP_KERNEL);
	if (!name)
		return -ENOMEM;
	err = get_name(name, KSEAL_NAME_MAX, optval, optlen);
	if (err) {
		kfree(name);
		return err;
	}
	kfree(ks->server_name);
	ks->server_name = name;
	return 0;
}

static int set_rekey(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	u32 whose;

	if (optlen != sizeof(whose))
		return -EINVAL;
	if (copy_from_sockptr(&whose, optval, sizeof(whose)))
		return -EFAULT;
	return whose > KSEAL_REKEY_BOTH ? -EINVAL : kseal_rekey(sk, whose);
}

/* RFC 8449 §4 counts the type of a TLS 1.3 record, too. */
static int set_max_payload(struct sock *sk, int optname, sockptr_t optval,
			   unsigned int optlen)
{
	struct kseal_sock *ks = kseal_get(sk);
	unsigned int min = RECORD_SIZE_LIMIT_MIN;
	struct tls_crypto_info info = {};
	u16 val;

	if (sockptr_is_null(optval) || optlen != sizeof(val))
		return -EINVAL;
	if (copy_from_sockptr(&val, optval, sizeof(val)))
		return -EFAULT;
	if (!kseal_tx_info(&ks->tx, &info))
		kseal_rx_info(&ks->rx, &info);
	if (info.version == TLS_1_3_VERSION)
		min--;
	if (val < min || val > KSEAL_MAX_PLAINTEXT)
		return -EINVAL;
	if (optname == TLS_TX_MAX_PAYLOAD_LEN)
		return kseal_tx_set_max_payload(sk, val);
	ks->rx.max_payload = val;
	return 0;
}

/**
 * kseal_set_keys() - key a direction, or give it its traffic secret
 * @sk: socket, HELD or EXPLICIT
 * @optname: TLS_TX, TLS_RX, TLS_TX_MAX_PAYLOAD_LEN, KSEAL_RX_MAX_PAYLOAD_LEN,
 *	KSEAL_OFFLOAD, KSEAL_TX_SECRET or KSEAL_RX_SECRET
 * @optval: struct tls12_crypto_info_*, a limit, the policy or the secret
 * @optlen: bytes of @optval
 *
 * Context: process, under the socket lock.
 * Return: 0 or a negative errno: those of kseal_tx_set_key() and its like.
 */
int kseal_set_keys(struct sock *sk, int optname, sockptr_t optval,
		   unsigned int optlen)
{
	switch (optname) {
	case TLS_TX:
		return kseal_tx_set_key(sk, optval, optlen);
	case TLS_RX:
		return kseal_rx_set_key(sk, optval, optlen);
	case TLS_TX_MAX_PAYLOAD_LEN:
	case KSEAL_RX_MAX_PAYLOAD_LEN:
		return set_max_payload(sk, optname, optval, optlen);
	case KSEAL_OFFLOAD:
		return kseal_offload_set(kseal_get(sk), optval, optlen);
	case KSEAL_TX_SECRET:
		return kseal_tx_set_secret(sk, optval, optlen);
	case KSEAL_RX_SECRET:
		return kseal_rx_set_secret(sk, optval, optlen);
	default:
		return -ENOPROTOOPT;
	}
}

/*
 * Pages lent by sendfile() are always sealed from where they are, and padding is
 * always hoped against: these two are kept for those who ask, and judged as the
 * "tls" ULP does.
 */
static int set_zerocopy(struct kseal_sock *ks, sockptr_t optval,
			unsigned int optlen)
{
	unsigned int val;

	if (optlen != sizeof(val))
		return -EINVAL;
	if (copy_from_sockptr(&val, optval, sizeof(val)))
		return -EFAULT;
	if (val > 1)
		return -EINVAL;
	ks->tls.zerocopy_sendfile = val;
	return 0;
}

static int set_no_pad(struct kseal_sock *ks, sockptr_t optval,
		      unsigned int optlen)
{
	struct tls_crypto_info info;
	u32 val;
	int ret;

	if (optlen < sizeof(val) || !kseal_rx_info(&ks->rx, &info) ||
	    info.version != TLS_1_3_VERSION)
		return -EINVAL;
	if (copy_from_sockptr(&val, optval, sizeof(val)))
		return -EFAULT;
	if (val > 1)
		return -EINVAL;
	ret = check_zeroed_sockptr(optval, sizeof(val), optlen - sizeof(val));
	if (ret < 1)
		return ret ?: -EINVAL;
	ks->tls.rx_no_pad = val;
	return 0;
}

static int set_explicit(struct sock *sk, int optname, sockptr_t optval,
			unsigned int optlen)
{
	switch (optname) {
	case TLS_TX_ZEROCOPY_RO:
		return set_zerocopy(kseal_get(sk), optval, optlen);
	case TLS_RX_EXPECT_NO_PAD:
		return set_no_pad(kseal_get(sk), optval, optlen);
	default:
		return kseal_set_keys(sk, optname, optval, optlen);
	}
}

static int do_setsockopt(struct sock *sk, int optname, sockptr_t optval,
			 unsigned int optlen)
{
	struct kseal_sock *ks = kseal_get(sk);

	if (sockptr_is_null(optval))
		return -EINVAL;
	switch (optname) {
	case KSEAL_PROFILE:
		return set_profile(ks, optval, optlen);
	case KSEAL_SERVER_NAME:
		return set_server_name(ks, optval, optlen);
	case KSEAL_REKEY:
		return set_rekey(sk, optval, optlen);
	}
	switch (ks->state) {
	case KSEAL_EXPLICIT:
		return set_explicit(sk, optname, optval, optlen);
	case KSEAL_ARMED:
		return optname == KSEAL_OFFLOAD ?
		       kseal_offload_set(ks, optval, optlen) : -ENOTCONN;
	default:
		return -EPERM;
	}
}

/* While the agent has the socket the application's are kept for later. */
static int set_cork(struct sock *sk, int optname, sockptr_t optval,
		    unsigned int optlen)
{
	int val, err;

	if (optlen >= sizeof(val)) {
		if (copy_from_sockptr(&val, optval, sizeof(val)))
			return -EFAULT;
		err = kseal_cork_set(sk, optname, val);
		if (err != -EAGAIN)
			return err;
	}
	err = kseal_get(sk)->family->base->setsockopt(sk, SOL_TCP, optname,
						      optval, optlen);
	if (!err)
		kseal_tx_uncork(sk);
	return err;
}

static bool is_cork(int level, int optname)
{
	return level == SOL_TCP &&
	       (optname == TCP_CORK || optname == TCP_NODELAY);
}

/**
 * kseal_setsockopt() - setsockopt() of a socket that is not held back
 * @sk: socket; but not a child that is HELD
 * @level: SOL_TLS is ours
 * @optname: option
 * @optval: its value
 * @optlen: bytes of @optval
 *
 * Context: process; takes the socket lock.
 * Return: 0; -EPERM for the keys of a socket that the agent seals, -ENOTCONN for
 * those of a listener, -EINVAL, -EFAULT, -ENOPROTOOPT, or what kseal_set_keys() or
 * kseal_rekey() says.
 */
int kseal_setsockopt(struct sock *sk, int level, int optname, sockptr_t optval,
		     unsigned int optlen)
{
	struct kseal_sock *ks = kseal_get(sk);
	int err;

	/* A SYN with data would carry plaintext. */
	if (level == SOL_TCP && optname == TCP_FASTOPEN_CONNECT &&
	    ks->listener)
		return -EOPNOTSUPP;
	if (is_cork(level, optname))
		return set_cork(sk, optname, optval, optlen);
	if (level != SOL_TLS)
		return ks->family->base->setsockopt(sk, level, optname, optval,
						    optlen);
	lock_sock(sk);
	err = do_setsockopt(sk, optname, optval, optlen);
	release_sock(sk);
	return err;
}

/* TLS_TX and TLS_RX; @u is to be wiped. */
static int get_key(struct kseal_sock *ks, bool tx, union kseal_crypto_info *u,
		   int len)
{
	const struct kseal_key *key = tx ? &ks->tx.key : &ks->rx.key;

	if (len < sizeof(u->info))
		return -EINVAL;
	if (len == sizeof(u->info))
		return kseal_key_info(key, &u->info) ? 0 : -EBUSY;
	return kseal_key_get(key, u, len);
}

static int get_profile(struct kseal_sock *ks, struct kseal_owner *owner,
		       int len)
{
	kseal_listener_owner(ks->listener, owner);
	return min_t(int, len, strlen(owner->profile) + 1);
}

/* As much of it as the caller knows, or there is. */
static int get_info(struct sock *sk, char __user *optval, int __user *optlen,
		    int len)
{
	struct kseal_info *info = kzalloc(sizeof(*info), GFP_KERNEL);
	int err = 0;

	if (!info)
		return -ENOMEM;
	lock_sock(sk);
	kseal_info_get(sk, info);
	release_sock(sk);
	len = min_t(int, len, sizeof(*info));
	if (put_user(len, optlen) || copy_to_user(optval, info, len))
		err = -EFAULT;
	kfree(info);
	return err;
}

/* As TCP gives it. */
static int get_cork(int val, char __user *optval, int __user *optlen)
{
	int len;

	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	len = min_t(int, len, sizeof(val));
	if (put_user(len, optlen) || copy_to_user(optval, &val, len))
		return -EFAULT;
	return 0;
}

/**
 * kseal_getsockopt() - getsockopt() of a socket that is not held back
 * @sk: socket; but not a child that is HELD
 * @level: SOL_TLS is ours
 * @optname: TLS_TX and TLS_RX give version and cipher, in the explicit mode also
 *	key, nonce and number of the next record; TLS_TX_ZEROCOPY_RO,
 *	TLS_RX_EXPECT_NO_PAD, TLS_TX_MAX_PAYLOAD_LEN and
 *	KSEAL_RX_MAX_PAYLOAD_LEN what was set;
 *	KSEAL_PROFILE and KSEAL_SERVER_NAME those of a socket that was armed;
 *	KSEAL_INFO a struct kseal_info; KSEAL_OFFLOAD the policy
 * @optval: user memory for the value
 * @optlen: its size; on return the bytes written
 *
 * Context: process; takes the socket lock.
 * Return: 0; -EBUSY for a direction without a key, as the "tls" ULP says;
 * -EINVAL for a length that is not right, and for more than struct
 * tls_crypto_info of a sealed socket: its keys are not given out; -EFAULT,
 * -ENOPROTOOPT.
 */
int kseal_getsockopt(struct sock *sk, int level, int optname,
		     char __user *optval, int __user *optlen)
{
	struct kseal_sock *ks = kseal_get(sk);
	union kseal_crypto_info key = {};
	struct kseal_owner owner;
	char name[KSEAL_NAME_MAX];
	void *val = &key;
	unsigned int flag;
	u16 payload;
	int len, cork, err = 0;

	/* It would hand out ciphertext, and take it from us. */
	if (level == SOL_TCP && optname == TCP_ZEROCOPY_RECEIVE)
		return -EOPNOTSUPP;
	cork = is_cork(level, optname) ? kseal_cork_get(sk, optname) : -EAGAIN;
	if (cork >= 0)
		return get_cork(cork, optval, optlen);
	if (level != SOL_TLS)
		return ks->family->base->getsockopt(sk, level, optname, optval,
						    optlen);
	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	if (optname == KSEAL_INFO)
		return get_info(sk, optval, optlen, len);

	lock_sock(sk);
	switch (optname) {
	case TLS_TX:
	case TLS_RX:
		err = get_key(ks, optname == TLS_TX, &key, len);
		break;
	case TLS_TX_ZEROCOPY_RO:
		flag = ks->tls.zerocopy_sendfile;
		val = &flag;
		if (len != sizeof(flag))
			err = -EINVAL;
		break;
	case TLS_RX_EXPECT_NO_PAD:
		flag = ks->tls.rx_no_pad;
		val = &flag;
		if (len < sizeof(flag) || !kseal_rx_info(&ks->rx, &key.info) ||
		    key.info.version != TLS_1_3_VERSION)
			err = -EINVAL;
		len = sizeof(flag);
		break;
	case TLS_TX_MAX_PAYLOAD_LEN:
	case KSEAL_RX_MAX_PAYLOAD_LEN:
		payload = optname == TLS_TX_MAX_PAYLOAD_LEN ?
			  ks->tx.max_payload : ks->rx.max_payload;
		val = &payload;
		if (len < sizeof(payload))
			err = -EINVAL;
		len = sizeof(payload);
		break;
	case KSEAL_OFFLOAD:
		flag = ks->policy;
		val = &flag;
		if (len < sizeof(flag))
			err = -EINVAL;
		len = sizeof(flag);
		break;
	case KSEAL_PROFILE:
		if (!ks->listener) {
			err = -EINVAL;
			break;
		}
		len = get_profile(ks, &owner, len);
		val = owner.profile;
		break;
	case KSEAL_SERVER_NAME:
		if (!ks->listener) {
			err = -EINVAL;
			break;
		}
		strscpy(name, ks->server_name ?: "", sizeof(name));
		len = min_t(int, len, strlen(name) + 1);
		val = name;
		break;
	default:
		err = -ENOPROTOOPT;
	}
	release_sock(sk);

	if (!err && (put_user(len, optlen) || copy_to_user(optval, val, len)))
		err = -EFAULT;
	memzero_explicit(&key, sizeof(key));
	return err;
}
