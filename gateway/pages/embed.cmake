# cmake -DNAME= -DOPERATION= -DPREFIX= -DOUT=<dir> -DCSP= -DFILES=<name=path,...> -P embed.cmake
# Packs each file with gzip and writes NAME.c: a row of struct page a file, its bytes by .incbin, named by their SHA-256.
string(REPLACE "," ";" FILES "${FILES}")
set(TYPE_html "text/html; charset=utf-8")
set(TYPE_js "text/javascript; charset=utf-8")
set(TYPE_css "text/css; charset=utf-8")
set(TYPE_svg "image/svg+xml")
set(TYPE_png "image/png")
set(TYPE_json "application/json")
set(TYPE_yaml "application/yaml")
set(TYPE_txt "text/plain; charset=utf-8")

set(bytes "")
set(rows "")
set(i 0)
foreach(entry ${FILES})
  string(FIND "${entry}" "=" at)
  string(SUBSTRING "${entry}" 0 ${at} name)
  math(EXPR at "${at} + 1")
  string(SUBSTRING "${entry}" ${at} -1 from)
  string(REGEX REPLACE ".*\\." "" ending "${name}")
  if(NOT DEFINED TYPE_${ending})
    message(FATAL_ERROR "${from}: no media type for .${ending}")
  endif()
  set(to "${OUT}/${name}")
  get_filename_component(folder "${to}" DIRECTORY)
  file(MAKE_DIRECTORY "${folder}")
  # What comes from npm: no hint at a file that is not there, and uPlot as a module.
  if(name STREQUAL "lit-html.js")
    file(READ "${from}" text)
    string(REGEX REPLACE "//# sourceMappingURL=[^\n]*\n?" "" text "${text}")
    file(WRITE "${to}" "${text}")
  elseif(name STREQUAL "uplot.js")
    file(READ "${from}" text)
    file(WRITE "${to}" "${text}\nexport default uPlot;\n")
  else()
    configure_file("${from}" "${to}" COPYONLY)
  endif()
  execute_process(COMMAND gzip -9nkf "${to}" COMMAND_ERROR_IS_FATAL ANY)
  file(SIZE "${to}.gz" size)
  file(SHA256 "${to}.gz" sum)
  string(SUBSTRING "${sum}" 0 32 tag)
  set(path "${PREFIX}/${name}")
  if(name MATCHES "^(.*/)?index\\.html$")
    string(REGEX REPLACE "/index\\.html$" "" path "${path}")
    if(path STREQUAL "")
      set(path "/")
    endif()
  endif()
  string(APPEND bytes "__asm__(\".section .rodata\\n.balign 16\\n${NAME}_${i}: .incbin \\\"${to}.gz\\\"\\n.previous\\n\");\nextern const uint8_t ${NAME}_${i}[];\n")
  string(APPEND rows "    { \"${path}\", \"${TYPE_${ending}}\", \"\\\"${tag}\\\"\", HEADERS(\"${tag}\"), ${NAME}_${i}, ${size} },\n")
  math(EXPR i "${i} + 1")
endforeach()

file(WRITE "${OUT}/${NAME}.c" "/* Written by gateway/pages/embed.cmake. */
#include \"gateway/pages/pages.h\"

#define HEADERS(tag) \\
    \"Content-Encoding: gzip\\r\\nETag: \\\"\" tag \"\\\"\\r\\nCache-Control: no-cache\\r\\nVary: Accept-Encoding\\r\\nReferrer-Policy: no-referrer\\r\\nX-Frame-Options: DENY\\r\\n\" \\
    \"Cross-Origin-Resource-Policy: same-origin\\r\\nCross-Origin-Opener-Policy: same-origin\\r\\n\" \\
    \"Content-Security-Policy: ${CSP}\\r\\n\"

${bytes}
static const struct page PAGES[] = {
${rows}};
extern const struct page_set ${NAME};
const struct page_set ${NAME} = { PAGES, sizeof PAGES / sizeof *PAGES, { \"${OPERATION}\" } };
")
