/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ip.c - addresses as text and back, as bytes and back, and their arithmetic */

#include "base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"

/* inet_pton() of some C libraries takes leading zeros, which others read as octal. */
static int parse_v4(const char *s, struct ip *ret)
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
	*ret = ip_v4(addr);
	return 0;
}

int ip_parse(const char *s, struct ip *ret)
{
	uint8_t b[16];

	if (!strchr(s, ':'))
		return parse_v4(s, ret);
	return inet_pton(AF_INET6, s, b) == 1 ? ip_from_bytes(b, sizeof(b), ret) : -EINVAL;
}

const char *ip_str(struct ip ip, char out[IP_STR])
{
	uint8_t b[16];

	if (!ip_bytes(ip, b) || !inet_ntop(ip.family == 6 ? AF_INET6 : AF_INET, b, out, IP_STR))
		out[0] = '\0';
	return out;
}

int cidr_parse(const char *s, struct cidr *ret)
{
	const char *slash = strchr(s, '/');
	char host[IP_STR];
	struct ip ip;
	uint16_t len;

	if (!slash || (size_t)(slash - s) >= sizeof(host))
		return -EINVAL;
	memcpy(host, s, (size_t)(slash - s));
	host[slash - s] = '\0';
	if (ip_parse(host, &ip) < 0 || parse_u16(slash + 1, &len) < 0 || len > ip_width(ip) ||
	    (slash[1] == '0' && slash[2]))
		return -EINVAL;
	*ret = (struct cidr){ip, (uint8_t)len};
	return 0;
}

const char *cidr_str(struct cidr c, char out[CIDR_STR])
{
	char ip[IP_STR];

	(void)snprintf(out, CIDR_STR, "%s/%u", ip_str(c.ip, ip), c.len);
	return out;
}

size_t ip_bytes(struct ip ip, uint8_t out[16])
{
	size_t len = !ip.family ? 0 : ip.family == 6 ? 16 : 4;

	for (size_t i = 0; i < len; i++) {
		size_t shift = (len - 1 - i) * 8;

		out[i] = (uint8_t)(shift < 64 ? ip.lo >> shift : ip.hi >> (shift - 64));
	}
	return len;
}

int ip_from_bytes(const void *bytes, size_t len, struct ip *ret)
{
	const uint8_t *b = bytes;
	struct ip ip = {.family = len == 16 ? 6 : 4};

	if (len != 4 && len != 16)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		ip.hi = ip.hi << 8 | ip.lo >> 56;
		ip.lo = ip.lo << 8 | b[i];
	}
	if (len == 4)
		ip.hi = 0;
	*ret = ip;
	return 0;
}

uint32_t ip_sockaddr(struct ip ip, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *sa4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *sa6 = (struct sockaddr_in6 *)ret;
	uint8_t b[16] = {0};

	*ret = (struct sockaddr_storage){0};
	(void)ip_bytes(ip, b);
	if (ip.family == 6) {
		sa6->sin6_family = AF_INET6;
		sa6->sin6_port = htons(port);
		memcpy(&sa6->sin6_addr, b, 16);
		return sizeof(*sa6);
	}
	sa4->sin_family = AF_INET;
	sa4->sin_port = htons(port);
	memcpy(&sa4->sin_addr, b, 4);
	return sizeof(*sa4);
}

/* ---- arithmetic ---- */

struct ip ip_add(struct ip a, uint64_t n)
{
	uint64_t lo = a.lo + n;

	if (a.family == 6)
		a.hi += lo < a.lo;
	a.lo = a.family == 6 ? lo : (uint32_t)lo;
	return a;
}

uint64_t ip_distance(struct ip a, struct ip b)
{
	uint64_t hi = a.hi - b.hi - (a.lo < b.lo);

	return hi ? UINT64_MAX : a.lo - b.lo;
}

bool ip_is_loopback(struct ip ip)
{
	return ip.family == 6 ? !ip.hi && ip.lo == 1 : ip.family == 4 && ip.lo >> 24 == 127;
}

bool ip_is_link_local(struct ip ip)
{
	return ip.family == 6 ? ip.hi >> 54 == 0xfe80 >> 6
			      : ip.family == 4 && ip.lo >> 16 == 0xa9fe;
}

/* The bits a prefix of @len leaves to hosts. */
static struct ip host_bits(struct cidr c)
{
	unsigned n = ip_width(c.ip) - c.len;
	struct ip m = {.family = c.ip.family};

	m.lo = n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
	m.hi = n >= 128 ? UINT64_MAX : n > 64 ? (UINT64_C(1) << (n - 64)) - 1 : 0;
	return m;
}

struct ip cidr_first(struct cidr c)
{
	struct ip m = host_bits(c);

	return (struct ip){c.ip.hi & ~m.hi, c.ip.lo & ~m.lo, c.ip.family};
}

struct ip cidr_last(struct cidr c)
{
	struct ip m = host_bits(c);

	return (struct ip){c.ip.hi | m.hi, c.ip.lo | m.lo, c.ip.family};
}

bool cidr_has(struct cidr c, struct ip ip)
{
	return ip.family && ip.family == c.ip.family && ip_cmp(ip, cidr_first(c)) >= 0 &&
	       ip_cmp(ip, cidr_last(c)) <= 0;
}

bool cidr_overlap(struct cidr a, struct cidr b)
{
	return a.ip.family && a.ip.family == b.ip.family &&
	       ip_cmp(cidr_first(a), cidr_last(b)) <= 0 && ip_cmp(cidr_first(b), cidr_last(a)) <= 0;
}

/* ---- MAC addresses ---- */

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
