/* header.h: xcluster.h itself, for hosts where it is not installed. */
#ifndef LIBCLUSTER_HEADER_H
#define LIBCLUSTER_HEADER_H

/* Its text, with a zero byte at the end. */
extern const char header_text[];

#endif
