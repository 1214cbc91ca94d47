/*
 * mime.h - the media type of a file, by the end of its name
 */
#ifndef HTTPD_MIME_H
#define HTTPD_MIME_H

/* Returns the Content-Type for a file of that name; application/octet-stream if the table of mime.c
 * does not have it. */
const char *mime_type(const char *name);

#endif
