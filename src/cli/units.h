/* SPDX-License-Identifier: GPL-2.0-or-later */
/* units.h - sizes, spans of time and moments as docker's users read them. Pure but for the zone. */
#pragma once

#include <stdint.h>

#include "base/buf.h"

/* "4.26MB": thousands, @digits significant (docker: 3 for images, 4 else) */
void human_size(struct buf *out, int64_t bytes, int digits);
void human_binary(struct buf *out, int64_t bytes);    /* "1.952GiB" */
void human_span(struct buf *out, int64_t ns);	      /* "About a minute", "3 weeks" */
void human_moment(struct buf *out, int64_t real_ns);  /* "2026-01-02 03:04:05 +0000 UTC" */
void human_rfc3339(struct buf *out, int64_t real_ns); /* local, nine digits, "+02:00" */
