// SPDX-License-Identifier: GPL-2.0
/*
 * Test module: what AES-GCM costs alone, in this boot, on TLS 1.3 records: the
 * floor of every record layer. Reading /proc/kseal_aead measures; /proc/kseal_idle
 * is the time that processors have slept, in microseconds. Read by the benchmark
 * (tests/bench).
 */
#include <crypto/aead.h>
#include <linux/cpumask.h>
#include <linux/kernel_stat.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/scatterlist.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/tick.h>

#define AAD	5
#define TAIL	1	/* the content type */
#define TAG	16
#define ORDER	3
#define OPS	64
#define ROUNDS	8

static int key_bits = 128;
module_param(key_bits, int, 0644);
MODULE_PARM_DESC(key_bits, "128 or 256");

/**
 * struct aead_job - one record, sealed and opened again and again
 * @tfm: with the key
 * @req: reused
 * @wait: for @req
 * @plain: pages of plaintext
 * @wire: pages of ciphertext
 * @aad: of both
 * @nonce: of both
 * @src: AAD and what goes in
 * @dst: AAD and what comes out
 */
struct aead_job {
	struct crypto_aead *tfm;
	struct aead_request *req;
	struct crypto_wait wait;
	struct page *plain;
	struct page *wire;
	u8 aad[AAD];
	u8 nonce[12];
	struct scatterlist src[2];
	struct scatterlist dst[2];
};

static int job_init(struct aead_job *job)
{
	static const u8 key[32] = { 1, 2, 3 };
	int err;

	job->tfm = crypto_alloc_aead("gcm(aes)", 0, 0);
	if (IS_ERR(job->tfm)) {
		err = PTR_ERR(job->tfm);
		job->tfm = NULL;
		return err;
	}
	err = crypto_aead_setkey(job->tfm, key, key_bits == 256 ? 32 : 16) ?:
	      crypto_aead_setauthsize(job->tfm, TAG);
	if (err)
		return err;
	crypto_init_wait(&job->wait);
	job->req = aead_request_alloc(job->tfm, GFP_KERNEL);
	job->plain = alloc_pages(GFP_KERNEL | __GFP_ZERO, ORDER);
	job->wire = alloc_pages(GFP_KERNEL | __GFP_ZERO, ORDER);
	if (!job->req || !job->plain || !job->wire)
		return -ENOMEM;
	aead_request_set_callback(job->req, CRYPTO_TFM_REQ_MAY_SLEEP,
				  crypto_req_done, &job->wait);
	aead_request_set_ad(job->req, AAD);
	return 0;
}

static void job_exit(struct aead_job *job)
{
	if (job->plain)
		__free_pages(job->plain, ORDER);
	if (job->wire)
		__free_pages(job->wire, ORDER);
	aead_request_free(job->req);
	crypto_free_aead(job->tfm);
	kfree(job);
}

static void describe(struct aead_job *job, struct scatterlist *sg,
		     struct page *page, unsigned int len)
{
	sg_init_table(sg, 2);
	sg_set_buf(&sg[0], job->aad, AAD);
	sg_set_page(&sg[1], page, len, 0);
}

/* One record of @size bytes, by itself or from one memory to another. */
static int seal(struct aead_job *job, unsigned int size)
{
	describe(job, job->src, job->plain, size + TAIL);
	describe(job, job->dst, job->wire, size + TAIL + TAG);
	aead_request_set_crypt(job->req, job->src, job->dst, size + TAIL,
			       job->nonce);
	return crypto_wait_req(crypto_aead_encrypt(job->req), &job->wait);
}

static int open(struct aead_job *job, unsigned int size)
{
	describe(job, job->src, job->wire, size + TAIL + TAG);
	describe(job, job->dst, job->plain, size + TAIL);
	aead_request_set_crypt(job->req, job->src, job->dst, size + TAIL + TAG,
			       job->nonce);
	return crypto_wait_req(crypto_aead_decrypt(job->req), &job->wait);
}

/* The best of several rounds, in ns for OPS operations. */
static int time_best(struct aead_job *job, unsigned int size,
		     int (*op)(struct aead_job *job, unsigned int size), u64 *best)
{
	int round, i, err;
	u64 t;

	*best = U64_MAX;
	for (round = 0; round < ROUNDS; round++) {
		t = ktime_get_ns();
		for (i = 0; i < OPS; i++) {
			err = op(job, size);
			if (err)
				return err;
		}
		*best = min(*best, ktime_get_ns() - t);
	}
	return 0;
}

/* The driver's name, then a line for each size: bytes, operations, ns, ns. */
static int aead_show(struct seq_file *m, void *v)
{
	static const unsigned int sizes[] = { 100, 1024, 4096, 16384 };
	struct aead_job *job = kzalloc(sizeof(*job), GFP_KERNEL);
	u64 sealing, opening;
	int i, err;

	if (!job)
		return -ENOMEM;
	err = job_init(job);
	if (!err)
		seq_printf(m, "%s\n",
			   crypto_tfm_alg_driver_name(crypto_aead_tfm(job->tfm)));
	for (i = 0; !err && i < ARRAY_SIZE(sizes); i++) {
		err = time_best(job, sizes[i], seal, &sealing) ?:
		      time_best(job, sizes[i], open, &opening);
		if (!err)
			seq_printf(m, "%u %u %llu %llu\n", sizes[i], OPS,
				   sealing, opening);
	}
	job_exit(job);
	return err;
}

static int idle_show(struct seq_file *m, void *v)
{
	u64 sum = 0;
	int cpu;

	for_each_online_cpu(cpu)
		sum += get_cpu_idle_time_us(cpu, NULL);
	seq_printf(m, "%llu\n", sum);
	return 0;
}

static int __init aead_bench_init(void)
{
	if (!proc_create_single("kseal_aead", 0444, NULL, aead_show) ||
	    !proc_create_single("kseal_idle", 0444, NULL, idle_show)) {
		remove_proc_entry("kseal_aead", NULL);
		return -ENOMEM;
	}
	return 0;
}

static void __exit aead_bench_exit(void)
{
	remove_proc_entry("kseal_idle", NULL);
	remove_proc_entry("kseal_aead", NULL);
}

module_init(aead_bench_init);
module_exit(aead_bench_exit);
MODULE_DESCRIPTION("Cost of AES-GCM, for kseal's benchmark");
MODULE_LICENSE("GPL");
