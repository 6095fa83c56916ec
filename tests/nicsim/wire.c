// SPDX-License-Identifier: GPL-2.0
/*
 * The cable between two cards, and what it does to segments. Only those that carry
 * payload meet with accidents.
 */
#include <linux/etherdevice.h>

#include "nicsim.h"

static void wire_deliver(struct nicsim *nic, struct sk_buff *skb)
{
	struct nicsim *peer = nic->peer;

	if (!netif_running(peer->dev)) {
		kfree_skb(skb);
		return;
	}
	skb->decrypted = 0;
	if (__dev_forward_skb(peer->dev, skb))
		return;		/* freed */
	nic->count[NICSIM_WIRE]++;
	skb_queue_tail(&peer->rxq, skb);
	napi_schedule(&peer->napi);
}

static void wire_release(struct nicsim *nic)
{
	struct sk_buff *skb = nic->held;

	nic->held = NULL;
	if (skb)
		wire_deliver(nic, skb);
}

/* delayed_work: nothing has followed. */
void nicsim_wire_release(struct work_struct *work)
{
	struct nicsim *nic = container_of(to_delayed_work(work), struct nicsim,
					  release);

	spin_lock_bh(&nic->lock);
	wire_release(nic);
	spin_unlock_bh(&nic->lock);
}

/**
 * nicsim_wire() - send a segment
 * @nic: from
 * @skb: linear, of its own memory, with a checksum; consumed
 * @payload: its bytes of payload
 *
 * Context: softirqs off, under the card's lock.
 */
void nicsim_wire(struct nicsim *nic, struct sk_buff *skb, unsigned int payload)
{
	const struct nicsim_knobs *knobs = &nic->knobs;
	struct sk_buff *copy;

	if (payload && nicsim_hit(knobs->drop)) {
		nic->count[NICSIM_WIRE_DROP]++;
		kfree_skb(skb);
		return;
	}
	if (payload && nicsim_hit(knobs->corrupt)) {
		nic->count[NICSIM_WIRE_CORRUPT]++;
		skb->data[skb->len - 1 - get_random_u32() % payload] ^= 1;
	}
	if (payload && nicsim_hit(knobs->duplicate)) {
		copy = skb_copy(skb, GFP_ATOMIC);
		if (copy) {
			nic->count[NICSIM_WIRE_DUPLICATE]++;
			wire_deliver(nic, copy);
		}
	}
	if (payload && !nic->held && nicsim_hit(knobs->reorder)) {
		nic->count[NICSIM_WIRE_REORDER]++;
		nic->held = skb;
		nic->held_for = 3;
		schedule_delayed_work(&nic->release, 2);
		return;
	}
	wire_deliver(nic, skb);
	if (nic->held && !--nic->held_for)
		wire_release(nic);
}
