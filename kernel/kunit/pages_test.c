// SPDX-License-Identifier: GPL-2.0
/*
 * Memory for ciphertext: what TCP still needs is not written to, what it has let go
 * of is used again, and in the end nothing is kept.
 */
#include <linux/delay.h>
#include <linux/net.h>
#include <net/sock.h>

#include "../pages.h"
#include "suites.h"

#define MANY	1000	/* more than are kept */

/**
 * struct writer - what a socket writes its ciphertext into
 * @sock: the socket
 * @frag: its memory
 */
struct writer {
	struct socket *sock;
	struct page_frag frag;
};

static void writer_end(void *p)
{
	struct writer *w = p;

	if (w->frag.page)
		put_page(w->frag.page);
	sock_release(w->sock);
}

static struct writer *writer_make(struct kunit *test)
{
	struct writer *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, w);
	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(&init_net, AF_INET, SOCK_STREAM,
						  IPPROTO_TCP, &w->sock));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, writer_end, w));
	return w;
}

/* Fill what there is, and find more. Returns the page that was filled; TCP has it. */
static struct page *fill(struct kunit *test, struct writer *w)
{
	struct page *page;

	KUNIT_ASSERT_TRUE(test, kseal_pages_refill(w->sock->sk, &w->frag));
	KUNIT_ASSERT_LE(test, KSEAL_PAGES_LEAST, w->frag.size - w->frag.offset);
	page = w->frag.page;
	get_page(page);
	w->frag.offset = w->frag.size;
	return page;
}

static void what_tcp_has_is_not_given_out_again(struct kunit *test)
{
	struct writer *w = writer_make(test);
	struct page **has;
	unsigned int i;

	has = kunit_kcalloc(test, MANY, sizeof(*has), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, has);
	for (i = 0; i < MANY; i++) {
		has[i] = fill(test, w);
		/* the socket's and this test's: it is in nobody else's hands */
		KUNIT_ASSERT_EQ(test, 2, page_ref_count(has[i]));
		memset(page_address(has[i]), i, PAGE_SIZE);
	}
	for (i = 0; i < MANY; i++) {
		KUNIT_EXPECT_NULL(test, memchr_inv(page_address(has[i]), i, PAGE_SIZE));
		put_page(has[i]);
	}
}

static void what_comes_back_is_used_again(struct kunit *test)
{
	struct writer *w = writer_make(test);
	struct page *had[8], *page, *last;
	unsigned int i, j, met = 0;

	for (i = 0; i < ARRAY_SIZE(had); i++)
		had[i] = fill(test, w);
	last = fill(test, w);
	for (i = 0; i < ARRAY_SIZE(had); i++) {
		/* kept: it does not come back by way of the kernel */
		KUNIT_EXPECT_EQ(test, 2, page_ref_count(had[i]));
		put_page(had[i]);
	}
	for (i = 0; i < MANY && met < ARRAY_SIZE(had); i++) {
		page = fill(test, w);
		put_page(last);
		last = page;
		for (j = 0; j < ARRAY_SIZE(had); j++) {
			if (had[j] != page)
				continue;
			had[j] = NULL;
			met++;
		}
	}
	put_page(last);
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(had), met);
}

static void room_that_has_come_back_is_filled_from_its_start(struct kunit *test)
{
	struct writer *w = writer_make(test);
	struct page *page = fill(test, w);

	put_page(page);
	KUNIT_EXPECT_PTR_EQ(test, page, fill(test, w));
	put_page(page);
}

static void nothing_is_kept_for_long(struct kunit *test)
{
	struct writer *w = writer_make(test);
	struct page *has[8];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(has); i++)
		has[i] = fill(test, w);
	msleep(3000);
	/* all but the one that is being filled: this test's alone */
	for (i = 0; i < ARRAY_SIZE(has); i++) {
		KUNIT_EXPECT_EQ(test, has[i] == w->frag.page ? 2 : 1,
				page_ref_count(has[i]));
		put_page(has[i]);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(what_tcp_has_is_not_given_out_again),
	KUNIT_CASE(what_comes_back_is_used_again),
	KUNIT_CASE(room_that_has_come_back_is_filled_from_its_start),
	KUNIT_CASE_SLOW(nothing_is_kept_for_long),
	{}
};

struct kunit_suite kseal_pages_suite = {
	.name = "kseal_pages",
	.test_cases = cases,
};
