# oqat_library(NAME SOURCES a.cc ... [PUBLIC deps] [PRIVATE deps]): static library oqat_NAME.
function(oqat_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(oqat_${name} STATIC ${ARG_SOURCES})
  target_include_directories(oqat_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(oqat_${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE} oqat_warnings)
endfunction()

# oqat_optional(TARGET DEFINITION LIBRARY): links LIBRARY where it was found, and says so to the
# sources as DEFINITION 1, else 0. Everywhere but with OQAT_ONLY_TRAIN it is required.
function(oqat_optional target definition library)
  if(TARGET ${library})
    target_link_libraries(${target} PRIVATE ${library})
    target_compile_definitions(${target} PRIVATE ${definition}=1)
  else()
    target_compile_definitions(${target} PRIVATE ${definition}=0)
  endif()
endfunction()

# oqat_program(NAME SOURCES a.cc ... DEPS deps): binary bin/NAME.
function(oqat_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} oqat_warnings)
endfunction()

# oqat_test(NAME SOURCES a.cc ... DEPS deps [LABELS l] [TIMEOUT seconds]): one GoogleTest binary,
# one ctest entry. Tests run from the build folder and know the source tree as OQAT_SOURCE_DIR.
function(oqat_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE OQAT_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                             OQAT_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock_main oqat_warnings)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT})
  if(ARG_LABELS)
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
  endif()
endfunction()

add_library(oqat_warnings INTERFACE)
target_compile_options(oqat_warnings INTERFACE -Wall -Wextra -Wpedantic)
if(OQAT_WERROR)
  target_compile_options(oqat_warnings INTERFACE -Werror)
endif()
# Results must not depend on which expressions a compiler fuses.
add_compile_options(-ffp-contract=off)
