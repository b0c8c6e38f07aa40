/* header.h: xcluster.h itself, for hosts where it is not installed. */
#ifndef ENGINE_HEADER_H
#define ENGINE_HEADER_H

/* Its text, with a zero byte at the end. */
extern const char header_text[];

#endif
