/* header.c: xcluster.h itself, for hosts where it is not installed. */
#include "libcluster/header.h"

#include "xcluster.h" /* so that a change of it is noticed */

/* clang-format off */
__asm__(".pushsection .rodata\n"
	".hidden header_text\n"
	".globl header_text\n"
	"header_text:\n"
	".incbin \"" XC_HEADER_PATH "\"\n"
	".byte 0\n"
	".popsection\n");
/* clang-format on */
