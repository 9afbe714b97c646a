#ifndef MOCKS_PAGE_H
#define MOCKS_PAGE_H

/* The control page: one self-contained HTML document, which reads /state and asks nobody else. */
extern const char CONTROL_PAGE[];

#endif
