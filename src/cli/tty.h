/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tty.h - the terminal: raw mode that is always taken back, its size, detach keys */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Raw mode of standard input if it is a terminal; taken back by tty_restore() and at exit. */
int tty_raw(struct err *e) MUST_CHECK;
void tty_restore(void);
bool tty_size(unsigned *rows, unsigned *columns); /* of standard output; false: no terminal */

/* ---- detach keys: "ctrl-p,ctrl-q", "a", "ctrl-@". Pure. ---- */
#define DETACH_KEYS_MAX 16
#define DETACH_DEFAULT	"ctrl-p,ctrl-q"
struct detach {
	char keys[DETACH_KEYS_MAX];
	size_t n, at; /* at: how many of them were seen, and held back */
};
int detach_parse(const char *text, struct detach *ret, struct err *e) MUST_CHECK;
/* Copies @in to @out (room for @len + DETACH_KEYS_MAX), holding back a beginning of the keys.
 * Return: bytes in @out; *@hit when the keys were complete (what follows is dropped). */
size_t detach_filter(struct detach *d, const char *in, size_t len, char *out, bool *hit);
