/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tty.c - terminal modes and sizes; detach keys */

#include "cli/tty.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/str.h"

static struct termios before;
static bool raw;

void tty_restore(void)
{
	if (raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	raw = false;
}

int tty_raw(struct err *e)
{
	static bool registered;
	struct termios t;

	if (raw || !isatty(STDIN_FILENO))
		return 0;
	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return err_sys(e, errno, "cannot read the terminal's modes");
	if (!registered && atexit(tty_restore) == 0)
		registered = true;
	t = before;
	cfmakeraw(&t);
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &t) < 0)
		return err_sys(e, errno, "cannot set the terminal's modes");
	raw = true;
	return 0;
}

bool tty_size(unsigned *rows, unsigned *columns)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || (!w.ws_row && !w.ws_col))
		return false;
	*rows = w.ws_row;
	*columns = w.ws_col;
	return true;
}

/* One key. Return: its byte, or -EINVAL */
static int key(const char *s)
{
	static const char specials[] = "@abcdefghijklmnopqrstuvwxyz[\\]^_";
	const char *at;

	if (strlen(s) == 1)
		return (unsigned char)*s;
	if (!str_has_prefix(s, "ctrl-") || strlen(s) != 6)
		return -EINVAL;
	at = strchr(specials, s[5] | (s[5] >= 'A' && s[5] <= 'Z' ? 0x20 : 0));
	return at ? (int)(at - specials) : -EINVAL;
}

int detach_parse(const char *text, struct detach *ret, struct err *e)
{
	auto_strv char **parts = NULL;

	*ret = (struct detach){0};
	if (strv_split(text, ",", &parts) < 0)
		return err_nomem(e);
	for (size_t i = 0; parts && parts[i]; i++) {
		int k = key(parts[i]);

		if (k < 0 || ret->n == DETACH_KEYS_MAX)
			return err_invalid(e, "invalid detach keys (%s) provided", text);
		ret->keys[ret->n++] = (char)k;
	}
	return 0;
}

size_t detach_filter(struct detach *d, const char *in, size_t len, char *out, bool *hit)
{
	size_t n = 0;

	*hit = false;
	for (size_t i = 0; i < len; i++) {
		if (d->n && in[i] == d->keys[d->at]) {
			if (++d->at < d->n)
				continue;
			*hit = true;
			return n;
		}
		/* no keys after all: what was held back goes out, and this byte may begin anew */
		memcpy(out + n, d->keys, d->at);
		n += d->at;
		d->at = 0;
		if (d->n > 1 && in[i] == d->keys[0])
			d->at = 1;
		else
			out[n++] = in[i];
	}
	return n;
}
