/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * template.h - the part of Go's text/template that --format needs, over JSON. Pure; fuzzed.
 *
 *   {{.A.B}} {{$x.A}} {{"text"}} {{42}} pipes, parentheses, trim marks {{- -}}, comments
 *   {{if}} {{else if}} {{else}} {{with}} {{range}} {{range $k, $v := .X}} {{end}} {{$x := ...}}
 *   json index len join split upper lower title println print printf slice
 *   eq ne lt le gt ge and or not
 *
 * Anything else is refused by name. Objects are iterated and printed in the order of their keys.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

struct tmpl;
/* ERR_INVALID: "template parsing error: ..." */
int tmpl_parse(const char *text, struct tmpl **ret, struct err *e) MUST_CHECK;
void tmpl_free(struct tmpl *t);
DEFINE_AUTO(struct tmpl, tmpl_free);
/* Appends to @out, whose maximum bounds the work. A key that is not there fails; in conditions it
 * is false. `.Label "key"` reads the object "_labels" beside. */
int tmpl_run(const struct tmpl *t, const json_t *dot, struct buf *out, struct err *e) MUST_CHECK;
