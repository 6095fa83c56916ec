// SPDX-License-Identifier: GPL-2.0
/*
 * Mapping of socket buffers, as they come from TCP's receive queue: a linear part,
 * page fragments and a list of further buffers, in any combination.
 */
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/skbuff.h>

#include "../stream.h"
#include "suites.h"

#define SEGS	32

static void free_skb(void *skb)
{
	kfree_skb(skb);
}

/* A buffer of @head linear bytes and @frags fragments of odd sizes. */
static struct sk_buff *make_skb(unsigned int head, unsigned int frags)
{
	struct sk_buff *skb = alloc_skb(head ?: 1, GFP_KERNEL);
	struct page *page;
	unsigned int i, n;

	if (!skb)
		return NULL;
	get_random_bytes(skb_put(skb, head), head);
	for (i = 0; i < frags; i++) {
		page = alloc_page(GFP_KERNEL);
		if (!page) {
			kfree_skb(skb);
			return NULL;
		}
		get_random_bytes(page_address(page), PAGE_SIZE);
		n = 37 * i + 1;
		skb_add_rx_frag(skb, i, page, 11 * i, n, PAGE_SIZE);
	}
	return skb;
}

static struct sk_buff *test_skb(struct kunit *test, unsigned int head,
				unsigned int frags)
{
	struct sk_buff *skb = make_skb(head, frags);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_skb,
							   skb));
	return skb;
}

static void append(struct kunit *test, struct sk_buff *skb,
		   struct sk_buff **tail, unsigned int head, unsigned int frags)
{
	struct sk_buff *part = make_skb(head, frags);

	KUNIT_ASSERT_NOT_NULL(test, part);
	*tail = part;
	skb->len += part->len;
	skb->data_len += part->len;
}

/* Every part of @skb is described as skb_copy_bits() would copy it. */
static void check_all_parts(struct kunit *test, struct sk_buff *skb)
{
	struct scatterlist sg[SEGS];
	unsigned int off, len;
	u8 *want, *got;
	int n;

	want = kunit_kzalloc(test, skb->len + 1, GFP_KERNEL);
	got = kunit_kzalloc(test, skb->len + 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, want);
	KUNIT_ASSERT_NOT_NULL(test, got);
	for (off = 0; off < skb->len; off += 7) {
		for (len = 1; len <= skb->len - off; len += 13) {
			sg_init_table(sg, SEGS);
			n = kseal_skb_map(skb, off, len, sg, SEGS);
			KUNIT_ASSERT_GT(test, n, 0);
			sg_mark_end(&sg[n - 1]);
			KUNIT_ASSERT_EQ(test, len,
					sg_copy_to_buffer(sg, n, got, len + 1));
			KUNIT_ASSERT_EQ(test, 0, skb_copy_bits(skb, off, want,
							       len));
			KUNIT_ASSERT_MEMEQ(test, got, want, len);
		}
	}
}

static void linear_buffer_is_mapped(struct kunit *test)
{
	check_all_parts(test, test_skb(test, 300, 0));
}

static void fragments_are_mapped(struct kunit *test)
{
	check_all_parts(test, test_skb(test, 0, 6));
	check_all_parts(test, test_skb(test, 50, 6));
}

static void neighbours_in_a_compound_page_are_one_entry(struct kunit *test)
{
	static const struct {
		unsigned int at, len;
	} part[] = {
		{ PAGE_SIZE - 96, 96 }, { PAGE_SIZE, 50 }, { PAGE_SIZE + 50, 20 },
		{ PAGE_SIZE + 80, 10 },
	};
	struct sk_buff *skb = test_skb(test, 0, 0);
	struct scatterlist sg[SEGS];
	struct page *page;
	unsigned int i;

	page = alloc_pages(GFP_KERNEL | __GFP_COMP, 1);
	KUNIT_ASSERT_NOT_NULL(test, page);
	get_random_bytes(page_address(page), 2 * PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(part); i++) {
		get_page(page);
		skb_add_rx_frag(skb, i, page + part[i].at / PAGE_SIZE,
				part[i].at % PAGE_SIZE, part[i].len, PAGE_SIZE);
	}
	put_page(page);
	sg_init_table(sg, SEGS);
	KUNIT_EXPECT_EQ(test, 2, kseal_skb_map(skb, 0, skb->len, sg, SEGS));
	check_all_parts(test, skb);
}

static void list_of_buffers_is_mapped(struct kunit *test)
{
	struct sk_buff *skb = test_skb(test, 20, 3);
	struct sk_buff **list = &skb_shinfo(skb)->frag_list;

	append(test, skb, list, 30, 0);
	append(test, skb, &(*list)->next, 0, 4);
	append(test, skb, &(*list)->next->next, 10, 2);
	check_all_parts(test, skb);
}

static void map_stops_where_its_table_ends(struct kunit *test)
{
	struct sk_buff *skb = test_skb(test, 10, 5);
	struct scatterlist sg[SEGS];

	sg_init_table(sg, SEGS);
	KUNIT_EXPECT_EQ(test, 6, kseal_skb_map(skb, 0, skb->len, sg, 6));
	KUNIT_EXPECT_EQ(test, -EMSGSIZE,
			kseal_skb_map(skb, 0, skb->len, sg, 5));
	KUNIT_EXPECT_EQ(test, -EMSGSIZE, kseal_skb_map(skb, 0, 1, sg, 0));
	KUNIT_EXPECT_EQ(test, 1, kseal_skb_map(skb, 0, 10, sg, 1));
}

static void map_refuses_more_than_there_is(struct kunit *test)
{
	struct sk_buff *skb = test_skb(test, 10, 2);
	struct scatterlist sg[SEGS];

	sg_init_table(sg, SEGS);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			kseal_skb_map(skb, 0, skb->len + 1, sg, SEGS));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			kseal_skb_map(skb, skb->len, 1, sg, SEGS));
}

static struct kunit_case stream_cases[] = {
	KUNIT_CASE(linear_buffer_is_mapped),
	KUNIT_CASE(fragments_are_mapped),
	KUNIT_CASE(neighbours_in_a_compound_page_are_one_entry),
	KUNIT_CASE(list_of_buffers_is_mapped),
	KUNIT_CASE(map_stops_where_its_table_ends),
	KUNIT_CASE(map_refuses_more_than_there_is),
	{}
};

struct kunit_suite kseal_stream_suite = {
	.name = "kseal_stream",
	.test_cases = stream_cases,
};
