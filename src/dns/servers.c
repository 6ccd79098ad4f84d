/* SPDX-License-Identifier: GPL-2.0-or-later */
/* servers.c - addresses of name servers, and resolv.conf's text */

#include "dns/servers.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/fs.h"
#include "base/str.h"

#define DNS_PORT 53
#define SPACE	 " \t\r\v\f"

int server_parse(const char *text, struct nameserver *ret)
{
	struct nameserver s = {.len = 0};

	if (inet_pton(AF_INET, text, &s.addr.in4.sin_addr) == 1) {
		s.addr.in4.sin_family = AF_INET;
		s.addr.in4.sin_port = htons(DNS_PORT);
		s.len = sizeof(s.addr.in4);
	} else if (inet_pton(AF_INET6, text, &s.addr.in6.sin6_addr) == 1) {
		s.addr.in6.sin6_family = AF_INET6;
		s.addr.in6.sin6_port = htons(DNS_PORT);
		s.len = sizeof(s.addr.in6);
	} else {
		return -EINVAL;
	}
	*ret = s;
	return 0;
}

bool server_eq(const struct nameserver *a, const struct nameserver *b)
{
	if (a->addr.sa.sa_family != b->addr.sa.sa_family)
		return false;
	if (a->addr.sa.sa_family == AF_INET)
		return a->addr.in4.sin_port == b->addr.in4.sin_port &&
		       a->addr.in4.sin_addr.s_addr == b->addr.in4.sin_addr.s_addr;
	return a->addr.in6.sin6_port == b->addr.in6.sin6_port &&
	       a->addr.in6.sin6_scope_id == b->addr.in6.sin6_scope_id &&
	       !memcmp(&a->addr.in6.sin6_addr, &b->addr.in6.sin6_addr, sizeof(struct in6_addr));
}

bool servers_eq(const struct servers *a, const struct servers *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!server_eq(&a->list[i], &b->list[i]))
			return false;
	return true;
}

static bool needs_zone(const struct nameserver *s)
{
	return s->addr.sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&s->addr.in6.sin6_addr);
}

/* What may be a link's name, and a file's. */
static bool zone_name(const char *zone)
{
	return *zone && *zone != '.' && !strchr(zone, '/') && strlen(zone) < IF_NAMESIZE;
}

static void parse_line(const char *line, size_t len, struct servers *out)
{
	static const char word[] = "nameserver";
	char addr[INET6_ADDRSTRLEN + IF_NAMESIZE], *zone;
	struct nameserver *s = &out->list[out->n];
	size_t n;

	if (len < sizeof(word) || memcmp(line, word, sizeof(word) - 1) != 0)
		return;
	line += sizeof(word) - 1;
	n = strspn(line, SPACE);
	if (!n)
		return;
	line += n;
	n = strcspn(line, SPACE "\n#;");
	if (n >= sizeof(addr))
		return;
	memcpy(addr, line, n);
	addr[n] = '\0';
	zone = strchr(addr, '%');
	if (zone)
		*zone++ = '\0';
	if (server_parse(addr, s) < 0 || !zone != !needs_zone(s) || (zone && !zone_name(zone)))
		return;
	(void)memset(out->zones[out->n], 0, IF_NAMESIZE);
	if (zone)
		memcpy(out->zones[out->n], zone, strlen(zone));
	out->n++;
}

void servers_parse_resolv(const char *text, struct servers *ret)
{
	struct servers s = {.n = 0};

	while (*text && s.n < SERVERS_MAX) {
		size_t len = strcspn(text, "\n");

		parse_line(text, len, &s);
		text += len;
		text += *text == '\n';
	}
	*ret = s;
}

static uint32_t scope_of(const char *dir, const char *zone)
{
	auto_free char *path = str_printf("%s/%s/ifindex", dir, zone);
	auto_buf struct buf text = BUF_INIT(64);
	uint32_t id = 0;

	if (!path || fs_read(path, 64, &text) < 0 || !text.len)
		return 0;
	text.data[strcspn(text.data, "\n")] = '\0';
	return parse_u32(text.data, &id) < 0 ? 0 : id;
}

void servers_set_zones(struct servers *s, const char *dir)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct nameserver *to = &s->list[kept];
		uint32_t scope = s->zones[i][0] ? scope_of(dir, s->zones[i]) : 0;

		if (s->zones[i][0] && !scope)
			continue;
		*to = s->list[i];
		if (scope)
			to->addr.in6.sin6_scope_id = scope;
		kept++;
	}
	s->n = kept;
}
