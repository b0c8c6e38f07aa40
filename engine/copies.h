/* copies.h: data that a program took over from its libraries. */
#ifndef ENGINE_COPIES_H
#define ENGINE_COPIES_H

#include <link.h>

#include "proto/elf.h"

/* Gives the variables that a loaded program shares with its libraries (copy
 * relocations) their initial values. Call it once, after dlopen. */
void copies_fill(struct link_map *program, const void *bytes, const struct elf_info *info);

#endif
