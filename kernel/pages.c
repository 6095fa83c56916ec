// SPDX-License-Identifier: GPL-2.0
/*
 * Memory for ciphertext, used again. A page that is full belongs to TCP until the
 * peer has acknowledged what is in it; then it would be freed, and the next one
 * taken from the kernel, which clears it (init_on_alloc) for nothing. So the last
 * reference of some is kept, by processor, until TCP has let go of the others.
 *
 * That nobody else refers to a page is what skb_page_frag_refill() goes by, too.
 * What is left over when nothing was sent for a while is given back.
 */
#include <kunit/visibility.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include "pages.h"

#define POOL_SLOTS	64	/* pages of a processor, 32 KiB each: 2 MiB */
#define POOL_LOOK	4	/* of them are looked at in one go */
#define POOL_IDLE	HZ	/* jiffies */

/**
 * struct pool - full pages that TCP may still need, of one processor
 * @lock: guards what follows
 * @used: since it was looked at by tidy()
 * @next: slot of the oldest, if none is held for long
 * @page: with a reference, or NULL
 * @since: when it came
 */
struct pool {
	spinlock_t lock;	/* guards what follows */
	bool used;
	unsigned int next;
	struct page *page[POOL_SLOTS];
	unsigned long since[POOL_SLOTS];
};

static DEFINE_PER_CPU(struct pool, pools);

static void empty(struct pool *p)
{
	unsigned int i;

	for (i = 0; i < POOL_SLOTS; i++) {
		if (p->page[i])
			put_page(p->page[i]);
		p->page[i] = NULL;
	}
}

static void tidy(struct work_struct *work)
{
	bool again = false;
	struct pool *p;
	int cpu;

	for_each_possible_cpu(cpu) {
		p = per_cpu_ptr(&pools, cpu);
		spin_lock(&p->lock);
		if (!p->used)
			empty(p);
		again |= p->used;
		p->used = false;
		spin_unlock(&p->lock);
	}
	if (again)
		schedule_delayed_work(to_delayed_work(work), POOL_IDLE);
}

static DECLARE_DELAYED_WORK(tidy_work, tidy);

/**
 * kseal_pages_init() - set up for all processors
 *
 * Context: process, when the module is loaded.
 */
void __init kseal_pages_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		spin_lock_init(&per_cpu_ptr(&pools, cpu)->lock);
}

/**
 * kseal_pages_exit() - give everything back
 *
 * Context: process, when no socket uses the module.
 */
void kseal_pages_exit(void)
{
	int cpu;

	cancel_delayed_work_sync(&tidy_work);
	for_each_possible_cpu(cpu)
		empty(per_cpu_ptr(&pools, cpu));
}

/* Is it worth being kept? */
static bool is_good(const struct page_frag *pfrag)
{
	return pfrag->size == PAGE_SIZE << SKB_FRAG_PAGE_ORDER &&
	       !page_is_pfmemalloc(pfrag->page) &&
	       page_to_nid(pfrag->page) == numa_mem_id();
}

/*
 * Leave the full page of @pfrag in the pool, and have one instead that TCP has let
 * go of. Returns whether there is one. If not, @pfrag has its page still, or none.
 */
static bool exchange(struct page_frag *pfrag)
{
	struct pool *p = raw_cpu_ptr(&pools);
	struct page *page;
	bool first, got = false;
	unsigned int i, look;

	spin_lock(&p->lock);
	first = !p->used;
	p->used = true;
	for (look = 0; look < POOL_LOOK; look++) {
		i = p->next;
		p->next = (i + 1) % POOL_SLOTS;
		page = p->page[i];
		got = page && page_ref_count(page) == 1;
		if (page && !got) {
			/* One that is held for long makes room. */
			if (time_before(jiffies, p->since[i] + POOL_IDLE))
				continue;
			put_page(page);
		}
		p->page[i] = pfrag->page;
		p->since[i] = jiffies;
		pfrag->page = got ? page : NULL;
		pfrag->offset = 0;
		break;
	}
	spin_unlock(&p->lock);
	if (first)
		schedule_delayed_work(&tidy_work, POOL_IDLE);
	return got;
}

/**
 * kseal_pages_next() - find memory for ciphertext where there is none left
 * @sk: socket
 * @pfrag: its memory, or its task's (sk_page_frag())
 *
 * Context: process, under the socket lock.
 * Return: whether there are KSEAL_PAGES_LEAST bytes of it; if not, the kernel has
 * no memory, and TCP knows.
 */
bool kseal_pages_next(struct sock *sk, struct page_frag *pfrag)
{
	if (pfrag->page && page_ref_count(pfrag->page) > 1 &&
	    is_good(pfrag) && exchange(pfrag))
		return true;
	/* Begins again where all of it has come back. */
	return sk_page_frag_refill(sk, pfrag);
}
EXPORT_SYMBOL_IF_KUNIT(kseal_pages_next);
