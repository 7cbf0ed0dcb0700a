# Everything comes from Debian packages (scripts/packages.txt).
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(spdlog REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(TurboJPEG REQUIRED IMPORTED_TARGET libturbojpeg)

# Module mode first: gRPC's configuration then finds the same protobuf, and Torch after both.
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(Torch CONFIG REQUIRED)

# Debian's Torch exports its libraries as a list; one interface target, its headers as system ones.
add_library(oqat_torch INTERFACE)
target_include_directories(oqat_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(oqat_torch INTERFACE ${TORCH_LIBRARIES})

if(OQAT_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
if(OQAT_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()
