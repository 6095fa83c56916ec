// SPDX-License-Identifier: GPL-2.0
/*
 * The card's stream engine: seals or opens a byte stream of TLS AES-GCM records
 * (RFC 5288, RFC 8446 section 5.2), cut anywhere. Hardware keeps the state of GCM
 * between segments; the kernel's ciphers can't, so the record is kept instead: its bytes
 * go through counter mode as they come, and once they are all there GCM makes or checks
 * the tag.
 *
 * Called under the card's lock.
 */
#include <linux/unaligned.h>

#include "nicsim.h"

/**
 * nicsim_record_len() - is this a header?
 * @header: NICSIM_HEADER bytes
 *
 * Return: bytes of the whole record, or -EPROTO.
 */
int nicsim_record_len(const u8 *header)
{
	unsigned int body = get_unaligned_be16(header + 3);

	if (header[0] < 20 || header[0] > 23 || header[1] != 3 ||
	    header[2] != 3 || body < NICSIM_BODY_MIN || body > NICSIM_BODY_MAX)
		return -EPROTO;
	return NICSIM_HEADER + body;
}

static void stream_nonce(const struct nicsim_stream *s, u8 *nonce)
{
	u8 *number = nonce + sizeof(s->iv) - NICSIM_NONCE;

	memcpy(nonce, s->iv, sizeof(s->iv));
	if (s->tls13)
		put_unaligned_be64(get_unaligned_be64(number) ^ s->rcd_sn,
				   number);
	else
		memcpy(number, s->buf + NICSIM_HEADER, NICSIM_NONCE);
}

/* The part of the stream that lies @off bytes inside a record's ciphertext. */
static int stream_ctr(struct nicsim_stream *s, u8 *p, unsigned int n,
		      unsigned int off)
{
	SYNC_SKCIPHER_REQUEST_ON_STACK(req, s->ctr);
	unsigned int skip = off % AES_BLOCK_SIZE, k;
	u8 iv[AES_BLOCK_SIZE], *block = s->buf + NICSIM_RECORD_MAX;
	struct scatterlist sg;
	int err = 0;

	stream_nonce(s, iv);
	put_unaligned_be32(2 + off / AES_BLOCK_SIZE, iv + 12);
	skcipher_request_set_sync_tfm(req, s->ctr);
	skcipher_request_set_callback(req, 0, NULL, NULL);
	if (skip) {
		k = min_t(unsigned int, n, AES_BLOCK_SIZE - skip);
		memset(block, 0, AES_BLOCK_SIZE);
		memcpy(block + skip, p, k);
		sg_init_one(&sg, block, AES_BLOCK_SIZE);
		skcipher_request_set_crypt(req, &sg, &sg, AES_BLOCK_SIZE, iv);
		err = crypto_skcipher_encrypt(req);
		memcpy(p, block + skip, k);
		put_unaligned_be32(3 + off / AES_BLOCK_SIZE, iv + 12);
		p += k;
		n -= k;
	}
	if (n && !err) {
		sg_init_one(&sg, p, n);
		skcipher_request_set_crypt(req, &sg, &sg, n, iv);
		err = crypto_skcipher_encrypt(req);
	}
	return err;
}

/* GCM over the whole record in @buf: leaves the tag there, or checks it. */
static int stream_tag(struct nicsim_stream *s)
{
	unsigned int plain = s->len - s->prefix - NICSIM_TAG;
	unsigned int aad = s->tls13 ? NICSIM_HEADER : sizeof(s->aad);
	struct scatterlist sg[2];
	u8 iv[sizeof(s->iv)];

	if (s->tls13) {
		memcpy(s->aad, s->buf, NICSIM_HEADER);
	} else {
		put_unaligned_be64(s->rcd_sn, s->aad);
		memcpy(s->aad + 8, s->buf, 3);
		put_unaligned_be16(plain, s->aad + 11);
	}
	stream_nonce(s, iv);
	sg_init_table(sg, ARRAY_SIZE(sg));
	sg_set_buf(&sg[0], s->aad, aad);
	sg_set_buf(&sg[1], s->buf + s->prefix, plain + NICSIM_TAG);
	aead_request_set_ad(s->req, aad);
	aead_request_set_callback(s->req, 0, NULL, NULL);
	aead_request_set_crypt(s->req, sg, sg,
			       plain + (s->seal ? 0 : NICSIM_TAG), iv);
	return s->seal ? crypto_aead_encrypt(s->req) :
			 crypto_aead_decrypt(s->req);
}

/**
 * nicsim_stream_feed() - seal or open the next bytes of a stream
 * @s: stream
 * @p: bytes; those of content are replaced, and when sealing those of tags
 * @n: how many
 *
 * Return: 0; -EPROTO if this is no record; -EBADMSG for a wrong tag.
 */
int nicsim_stream_feed(struct nicsim_stream *s, u8 *p, unsigned int n)
{
	unsigned int k, tag;
	int err;

	for (; n; p += k, n -= k) {
		tag = s->len - NICSIM_TAG;
		if (s->pos < NICSIM_HEADER)
			k = min(n, NICSIM_HEADER - s->pos);
		else if (s->pos < s->prefix)
			k = min(n, s->prefix - s->pos);
		else if (s->pos < tag)
			k = min(n, tag - s->pos);
		else
			k = min(n, s->len - s->pos);

		if (s->pos < s->prefix ||
		    (!s->no_cipher && (s->pos < tag || !s->seal)))
			memcpy(s->buf + s->pos, p, k);
		if (s->no_cipher) {
			;	/* only the frame counts */
		} else if (s->pos >= s->prefix && s->pos < tag) {
			err = stream_ctr(s, p, k, s->pos - s->prefix);
			if (err)
				return err;
		} else if (s->pos >= s->prefix && s->seal) {
			err = s->pos == tag ? stream_tag(s) : 0;
			if (err)
				return err;
			memcpy(p, s->buf + s->pos, k);
		}
		s->pos += k;
		if (s->pos == NICSIM_HEADER) {
			err = nicsim_record_len(s->buf);
			if (err < (int)s->prefix + NICSIM_TAG)
				return -EPROTO;
			s->len = err;
		}
		if (!s->len || s->pos < s->len)
			continue;
		err = s->seal || s->no_cipher ? 0 : stream_tag(s);
		if (err)
			return err;
		s->records++;
		nicsim_stream_seek(s, s->rcd_sn + 1);
	}
	return 0;
}

/**
 * nicsim_stream_seek() - what follows is the start of a record
 * @s: stream
 * @rcd_sn: its number
 */
void nicsim_stream_seek(struct nicsim_stream *s, u64 rcd_sn)
{
	s->rcd_sn = rcd_sn;
	s->pos = 0;
	s->len = 0;
}

/**
 * nicsim_stream_exit() - free what nicsim_stream_init() has made, or part of it
 * @s: stream
 */
void nicsim_stream_exit(struct nicsim_stream *s)
{
	aead_request_free(s->req);
	if (!IS_ERR_OR_NULL(s->aead))
		crypto_free_aead(s->aead);
	if (!IS_ERR_OR_NULL(s->ctr))
		crypto_free_sync_skcipher(s->ctr);
	kfree_sensitive(s->buf);
	memzero_explicit(s, sizeof(*s));
}

/**
 * nicsim_stream_init() - set up a stream
 * @s: zeroed
 * @seal: outgoing?
 * @info: keys
 *
 * Context: process.
 * Return: 0, -EOPNOTSUPP for what the card can't do, or another negative errno.
 */
int nicsim_stream_init(struct nicsim_stream *s, bool seal,
		       const struct tls_crypto_info *info)
{
	const struct tls12_crypto_info_aes_gcm_128 *k128 = (const void *)info;
	const struct tls12_crypto_info_aes_gcm_256 *k256 = (const void *)info;
	unsigned int key_len;
	const u8 *key;
	int err;

	if (info->version != TLS_1_2_VERSION &&
	    info->version != TLS_1_3_VERSION)
		return -EOPNOTSUPP;
	s->seal = seal;
	s->tls13 = info->version == TLS_1_3_VERSION;
	s->prefix = NICSIM_HEADER + (s->tls13 ? 0 : NICSIM_NONCE);
	switch (info->cipher_type) {
	case TLS_CIPHER_AES_GCM_128:
		key = k128->key;
		key_len = sizeof(k128->key);
		memcpy(s->iv, k128->salt, sizeof(k128->salt));
		memcpy(s->iv + sizeof(k128->salt), k128->iv, sizeof(k128->iv));
		s->rcd_sn = get_unaligned_be64(k128->rec_seq);
		break;
	case TLS_CIPHER_AES_GCM_256:
		key = k256->key;
		key_len = sizeof(k256->key);
		memcpy(s->iv, k256->salt, sizeof(k256->salt));
		memcpy(s->iv + sizeof(k256->salt), k256->iv, sizeof(k256->iv));
		s->rcd_sn = get_unaligned_be64(k256->rec_seq);
		break;
	default:
		return -EOPNOTSUPP;
	}

	s->buf = kmalloc(NICSIM_RECORD_MAX + AES_BLOCK_SIZE, GFP_KERNEL);
	s->ctr = crypto_alloc_sync_skcipher("ctr(aes)", 0, 0);
	s->aead = crypto_alloc_aead("gcm(aes)", 0, CRYPTO_ALG_ASYNC);
	err = PTR_ERR_OR_ZERO(s->ctr) ?: PTR_ERR_OR_ZERO(s->aead);
	if (!s->buf)
		err = -ENOMEM;
	err = err ?: crypto_sync_skcipher_setkey(s->ctr, key, key_len);
	err = err ?: crypto_aead_setkey(s->aead, key, key_len);
	err = err ?: crypto_aead_setauthsize(s->aead, NICSIM_TAG);
	if (!err) {
		s->req = aead_request_alloc(s->aead, GFP_KERNEL);
		err = s->req ? 0 : -ENOMEM;
	}
	if (err)
		nicsim_stream_exit(s);
	return err;
}
