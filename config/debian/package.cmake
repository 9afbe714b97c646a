# Debian packages: cpack in the build folder, with SOURCE_DATE_EPOCH in the environment, makes the same bytes wherever it is built (tests/packages does it).
#
#   pmhgw        the command, the daemons, units, settings, documents
#   pmhgw-mocks  the mock nation and its made-up residents, for trials

include(GNUInstallDirs)
set(daemons vault audit signer intake front courier)
if(TARGET pmhgw-relay)
  list(APPEND daemons relay)
endif()
set(share ${CMAKE_INSTALL_DATADIR}/pmhgw)
set(here ${CMAKE_SOURCE_DIR}/config)
set(made ${CMAKE_BINARY_DIR}/package)

set(programs pmhgw)
foreach(daemon ${daemons})
  list(APPEND programs pmhgw-${daemon})
endforeach()
install(TARGETS ${programs} RUNTIME DESTINATION bin COMPONENT gateway)
install(TARGETS pmhgw-mocks pmhgw-synth RUNTIME DESTINATION bin COMPONENT mocks)

install(FILES ${here}/claims.yaml ${here}/institutions.yaml ${here}/legal-basis.yaml ${here}/vaccines.yaml ${here}/redis-link.conf.in ${here}/redis-vault.conf.in
  DESTINATION ${share} COMPONENT gateway)
if(EXISTS ${here}/redis)
  install(DIRECTORY ${here}/redis DESTINATION ${share} COMPONENT gateway USE_SOURCE_PERMISSIONS)
endif()
install(DIRECTORY ${here}/layouts DESTINATION ${share} COMPONENT gateway)
install(PROGRAMS ${here}/dev-ca ${here}/systemd/setup-host DESTINATION ${share} COMPONENT gateway)

# ---- systemd ----

file(GLOB units CONFIGURE_DEPENDS ${here}/systemd/*.service ${here}/systemd/*.socket ${here}/systemd/*.target)
install(FILES ${units} DESTINATION lib/systemd/system COMPONENT gateway)
install(DIRECTORY ${here}/systemd/pmhgw-.service.d DESTINATION lib/systemd/system COMPONENT gateway)
install(FILES ${here}/systemd/pmhgw.sysusers DESTINATION lib/sysusers.d RENAME pmhgw.conf COMPONENT gateway)
install(FILES ${here}/systemd/pmhgw.tmpfiles DESTINATION lib/tmpfiles.d RENAME pmhgw.conf COMPONENT gateway)
file(GLOB confs CONFIGURE_DEPENDS ${here}/systemd/conf/*.yaml)
install(FILES ${confs} DESTINATION /etc/pmhgw COMPONENT gateway)

# ---- documents ----

# packed(OUT FROM)  FROM, compressed, always to the same bytes
function(packed out from)
  add_custom_command(OUTPUT ${made}/${out} COMMAND ${CMAKE_COMMAND} -E make_directory ${made} COMMAND gzip -9nc ${from} > ${made}/${out} DEPENDS ${from} VERBATIM)
  set_property(GLOBAL APPEND PROPERTY package_files ${made}/${out})
endfunction()

packed(changelog.gz ${here}/debian/changelog)
packed(pmhgw-daemon.8.gz ${here}/debian/pmhgw-daemon.8)
packed(pmhgw-mocks.1.gz ${here}/debian/pmhgw-mocks.1)
install(FILES ${made}/changelog.gz ${here}/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT gateway)
install(FILES ${made}/changelog.gz ${here}/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR}-mocks COMPONENT mocks)
install(FILES ${made}/pmhgw-mocks.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT mocks)
install(FILES ${made}/pmhgw-mocks.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 RENAME pmhgw-synth.1.gz COMPONENT mocks)
foreach(daemon ${daemons})
  install(FILES ${made}/pmhgw-daemon.8.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 RENAME pmhgw-${daemon}.8.gz COMPONENT gateway)
endforeach()
install(FILES ${CMAKE_SOURCE_DIR}/docs/install.md ${CMAKE_SOURCE_DIR}/docs/settings.md ${CMAKE_SOURCE_DIR}/docs/operations.md ${CMAKE_SOURCE_DIR}/docs/redis.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT gateway)
install(DIRECTORY ${CMAKE_BINARY_DIR}/api-docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/api COMPONENT gateway)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/mocks/conformance DESTINATION ${CMAKE_INSTALL_DATADIR}/pmhgw COMPONENT mocks FILES_MATCHING PATTERN *.py)
install(FILES ${here}/debian/pmhgw.lintian-overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides RENAME pmhgw COMPONENT gateway)

# The command writes its own manual pages and completions (keys/ctl/CMakeLists.txt: man, completion).
set(told ${CMAKE_BINARY_DIR}/share)
packed(pmhgw.1.gz ${told}/man/man1/pmhgw.1)
packed(pmhgw.ja.1.gz ${told}/man/ja/man1/pmhgw.1)
install(FILES ${made}/pmhgw.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT gateway)
install(FILES ${made}/pmhgw.ja.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/ja/man1 RENAME pmhgw.1.gz COMPONENT gateway)
foreach(completion bash-completion/completions/pmhgw zsh/vendor-completions/_pmhgw fish/vendor_completions.d/pmhgw.fish)
  get_filename_component(folder ${completion} DIRECTORY)
  install(FILES ${told}/${completion} DESTINATION ${CMAKE_INSTALL_DATADIR}/${folder} COMPONENT gateway)
endforeach()

get_property(files GLOBAL PROPERTY package_files)
add_custom_target(package_files DEPENDS ${files})
add_dependencies(package_files man completion api-docs)
add_custom_target(package_all DEPENDS package_files ${programs} pmhgw-mocks pmhgw-synth)

# ---- the packages ----

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL gateway mocks)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "pmhgw maintainers <maintainers@pmhgw.test>")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_GATEWAY_PACKAGE_NAME pmhgw)
set(CPACK_DEBIAN_GATEWAY_PACKAGE_SECTION net)
set(CPACK_DEBIAN_GATEWAY_PACKAGE_DEPENDS "redis-server, openssl")
set(CPACK_DEBIAN_GATEWAY_PACKAGE_RECOMMENDS "systemd")
set(CPACK_DEBIAN_GATEWAY_PACKAGE_SUGGESTS "pmhgw-mocks")
set(CPACK_DEBIAN_GATEWAY_DESCRIPTION "link between a municipality, clinics and the Public Medical Hub
Takes registrations of residents from municipal systems, has them numbered
at the Public Medical Hub (PMH) of Japan, answers clinics and the citizens'
portal by link keys, and keeps a verifiable log of every access. Individual
numbers stay in processes of their own and never reach the doors of clinics
and portals.
.
This package has the command, the daemons, units for systemd and settings.")
set(CPACK_DEBIAN_GATEWAY_PACKAGE_CONTROL_EXTRA "${here}/debian/postinst;${here}/debian/postrm;${made}/conffiles")
set(CPACK_DEBIAN_MOCKS_PACKAGE_NAME pmhgw-mocks)
set(CPACK_DEBIAN_MOCKS_PACKAGE_SECTION net)
set(CPACK_DEBIAN_MOCKS_PACKAGE_DEPENDS "pmhgw (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_MOCKS_DESCRIPTION "mock nation for trials of the gateway pmhgw
The systems around the gateway pmhgw as programs of one machine: PMH, VRS,
the online qualification check, a clinic, a portal; and residents who do
not exist, with the files that a municipal system would send.
.
It is for trials and tests, never for real data.")

set(conffiles "")
foreach(conf ${confs})
  get_filename_component(name ${conf} NAME)
  string(APPEND conffiles "/etc/pmhgw/${name}\n")
endforeach()
file(WRITE ${made}/conffiles "${conffiles}")
include(CPack)
