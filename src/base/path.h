/* SPDX-License-Identifier: GPL-2.0-or-later */
/* path.h - path names as text: nothing is looked up. Go's path.Clean and path.Join. Thread-safe. */
#pragma once

#include "base/auto.h"

/* "a//b/./c/../d/" -> "a/b/d"; "" -> "."; ".." at the front of a relative one stays. malloc'ed */
char *path_clean_lexical(const char *path);
/* @dir "/" @path, cleaned; @path alone where it is absolute. malloc'ed */
char *path_join(const char *dir, const char *path);
const char *path_base(const char *path); /* after the last slash; @path has none at its end */
