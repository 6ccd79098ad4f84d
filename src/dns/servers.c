/* SPDX-License-Identifier: GPL-2.0-or-later */
/* servers.c - addresses of name servers, and resolv.conf's text */

#include "dns/servers.h"

#include <arpa/inet.h>
#include <string.h>

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

static void parse_line(const char *line, size_t len, struct servers *out)
{
	static const char word[] = "nameserver";
	char addr[INET6_ADDRSTRLEN];
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
	if (server_parse(addr, &out->list[out->n]) == 0)
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
