# SPDX-License-Identifier: Apache-2.0
# The CMake package: find_package(laconic) gives laconic::laconic, the library with its public
# headers. The room libraries behind it are installed because it is static; their headers are not.
if(NOT LACONIC_INSTALL)
  return()
endif()
include(CMakePackageConfigHelpers)

set(laconic_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/laconic)
install(TARGETS laconic laconic_base laconic_text laconic_io laconic_kernels laconic_kv
                laconic_model laconic_engine
        EXPORT laconicTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET laconic_cli)
  install(TARGETS laconic_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/laconic DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
install(EXPORT laconicTargets NAMESPACE laconic:: DESTINATION ${laconic_package_dir})

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/laconic-config.cmake.in
  ${PROJECT_BINARY_DIR}/laconic-config.cmake INSTALL_DESTINATION ${laconic_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/laconic-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/laconic-config.cmake
              ${PROJECT_BINARY_DIR}/laconic-config-version.cmake
        DESTINATION ${laconic_package_dir})
