/*
 * A machine whose pointers have 32 bits.
 *
 *   gcc      weft needs a 64-bit machine
 *   clang    weft needs a 64-bit machine
 *   g++      weft needs a 64-bit machine
 *   clang++  weft needs a 64-bit machine
 */
#ifdef MISUSE
#undef __SIZEOF_POINTER__
#define __SIZEOF_POINTER__ 4
#endif
#include <weft.h>
