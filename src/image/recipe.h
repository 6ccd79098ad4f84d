/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * recipe.h - inside atoll-helper: how a layer's tar is made again from its files, byte for byte
 *
 * Layers are kept unpacked, but whoever saves or pushes one owes exactly the tar of its diff id. So
 * beside a layer's tree stands what of the tar is not the content of a file: headers, padding, its
 * end. In a layer's directory:
 *   diff/    the tree
 *   recipe   zstd of: "atoll-recipe 1\n", then records, numbers little-endian:
 *              'R' u32 length, bytes                  to be written as they are
 *              'F' u64 size, u32 length, path         the content of a file of diff/
 *              'E' u64 size of the whole              the end
 *   kept/    files that a later entry of the same tar took the place of, k<n>; and "moved":
 *              u64 n, u32 k, u32 length, path         the first n files at or below this path are
 *                                                     at or below k<k> now
 * What is made is checked against the diff id each time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* ---- writing (helper_record.c), while a layer is unpacked into <name> of @dirfd ---- */

struct recipe;
/* to <name>.recipe, and <name>.kept where it is needed */
int recipe_new(int dirfd, const char *name, struct recipe **ret, struct err *e) MUST_CHECK;
/* without recipe_finish() before it: the files go too */
void recipe_free(struct recipe *r);
DEFINE_AUTO(struct recipe, recipe_free);
/* the next bytes of the tar; failures are remembered until recipe_finish() */
void recipe_raw(struct recipe *r, const void *data, size_t len);
/* an entry begins: what recipe_keep() moves from here on was made by those before it */
void recipe_entry(struct recipe *r);
void recipe_file(struct recipe *r, const char *path, uint64_t size);
/* moves @name of @dirfd, which is @path of the layer, away. Return: 1; 0 nothing to keep; -errno */
int recipe_keep(struct recipe *r, int dirfd, const char *name, const char *path) MUST_CHECK;
/* the tar is one that cannot be made again: the layer has no recipe */
void recipe_drop(struct recipe *r);
int recipe_finish(struct recipe *r, uint64_t size, struct err *e) MUST_CHECK;

/* ---- reading (helper_recipe.c) ---- */

typedef int (*recipe_write_fn)(const void *data, size_t len, void *data_of_fn);
/* the tar of the layer in @layer_dirfd ("diff", "recipe"), which must have @diff_id: -EBADMSG else,
 * after all was written. A layer without a recipe: ERR_INTERNAL that says what mends it. @write
 * returns 0 or -errno, which ends it */
int layer_tar(int layer_dirfd, const char *diff_id, recipe_write_fn write, void *data,
	      struct err *e) MUST_CHECK;
int layer_tar_size(int layer_dirfd, const char *diff_id, uint64_t *ret, struct err *e) MUST_CHECK;
