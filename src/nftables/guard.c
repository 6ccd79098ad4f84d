/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guard.c - the elements of one guarded bridge port (data/guard.nft has the rules) */

#include "nftables/internal.h"

static struct ip link_local(const uint8_t mac[6])
{
	/* RFC 4291, appendix A */
	struct ip ip = {.hi = 0xfe80ull << 48, .family = 6};
	const uint8_t id[8] = {mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};

	for (int i = 0; i < 8; i++)
		ip.lo = ip.lo << 8 | id[i];
	return ip;
}

void nft_guard(struct nft_tx *tx, const struct nft_guard *g, bool del)
{
	void (*const put)(struct nft_tx *, const char *, const char *, ...) = del ? nft_del
										  : nft_add;
	const struct ip own = link_local(g->mac);
	char mac[MAC_STR], text[IP_STR];

	put(tx, "guard_port", "\"%s\"", g->port);
	put(tx, "guard_mac", "\"%s\" . %s", g->port, mac_str(g->mac, mac));
	for (size_t i = 0; i <= g->n_ips; i++) {
		struct ip ip = i < g->n_ips ? g->ips[i] : own;

		if (ip_eq(ip, own) && i < g->n_ips)
			continue;
		if (ip_fam(ip) == V4) {
			put(tx, "guard_ip4", "\"%s\" . %s", g->port, ip_str(ip, text));
			continue;
		}
		put(tx, "guard_ip6", "\"%s\" . %s", g->port, ip_str(ip, text));
		put(tx, "guard_na6", "\"%s\" . 0x%016llx%016llx", g->port,
		    (unsigned long long)ip.hi, (unsigned long long)ip.lo);
	}
}
