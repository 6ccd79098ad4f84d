/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ip.c - addresses as text and back */

#include "base/ip.h"

#include <string.h>

#include "base/str.h"

int ip4_parse(const char *s, uint32_t *ret)
{
	uint32_t addr = 0;

	for (int part = 0; part < 4; part++) {
		unsigned v = 0, n = 0;

		for (; *s >= '0' && *s <= '9' && n < 4; s++, n++)
			v = v * 10 + (unsigned)(*s - '0');
		if (!n || n > 3 || v > 255 || (n > 1 && s[-(int)n] == '0'))
			return -EINVAL;
		addr = addr << 8 | v;
		if (*s != (part < 3 ? '.' : '\0'))
			return -EINVAL;
		s++;
	}
	*ret = addr;
	return 0;
}

const char *ip4_str(uint32_t addr, char out[IP4_STR])
{
	(void)snprintf(out, IP4_STR, "%u.%u.%u.%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255,
		       addr & 255);
	return out;
}

int cidr4_parse(const char *s, struct cidr4 *ret)
{
	const char *slash = strchr(s, '/');
	char host[IP4_STR];
	uint32_t addr;
	uint16_t len;

	if (!slash || (size_t)(slash - s) >= sizeof(host))
		return -EINVAL;
	memcpy(host, s, (size_t)(slash - s));
	host[slash - s] = '\0';
	if (ip4_parse(host, &addr) < 0 || parse_u16(slash + 1, &len) < 0 || len > 32 ||
	    strlen(slash + 1) > 2)
		return -EINVAL;
	*ret = (struct cidr4){addr, (uint8_t)len};
	return 0;
}

const char *cidr4_str(struct cidr4 c, char out[CIDR4_STR])
{
	char ip[IP4_STR];

	(void)snprintf(out, CIDR4_STR, "%s/%u", ip4_str(c.addr, ip), c.len);
	return out;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int mac_parse(const char *s, uint8_t out[6])
{
	uint8_t mac[6];

	for (int i = 0; i < 6; i++, s += 3) {
		int hi = hex_digit(s[0]), lo = hi < 0 ? -1 : hex_digit(s[1]);

		if (lo < 0)
			return -EINVAL;
		if (i < 5 ? s[2] != ':' && s[2] != '-' : s[2] != '\0')
			return -EINVAL;
		mac[i] = (uint8_t)(hi << 4 | lo);
	}
	memcpy(out, mac, sizeof(mac));
	return 0;
}

const char *mac_str(const uint8_t mac[6], char out[MAC_STR])
{
	(void)snprintf(out, MAC_STR, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		       mac[3], mac[4], mac[5]);
	return out;
}
