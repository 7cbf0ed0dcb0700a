# oqat_torch: LibTorch as one interface target, its headers as system ones.
#
# Found through TorchConfig.cmake (CMAKE_PREFIX_PATH). That file of a CUDA LibTorch insists on CUDA's
# compiler, which this project does not use; OQAT_TORCH_DIR names the folder of such a LibTorch (a
# Python wheel's is `python3 -c "import torch; print(torch.__path__[0])"`), and its libraries are
# then linked directly.
set(OQAT_TORCH_DIR "" CACHE PATH "Folder of a LibTorch (include/, lib/) to use without its TorchConfig.cmake")
add_library(oqat_torch INTERFACE)
if(OQAT_TORCH_DIR)
  find_path(OQAT_TORCH_INCLUDE ATen/core/Tensor.h PATHS ${OQAT_TORCH_DIR}/include NO_DEFAULT_PATH REQUIRED)
  set(TORCH_INCLUDE_DIRS ${OQAT_TORCH_INCLUDE} ${OQAT_TORCH_INCLUDE}/torch/csrc/api/include)
  # torch_cuda registers its kernels when it is loaded; nothing refers to it by name.
  set(TORCH_LIBRARIES -Wl,--no-as-needed)
  foreach(library torch torch_cpu c10 torch_cuda c10_cuda)
    find_library(OQAT_LIB_${library} ${library} PATHS ${OQAT_TORCH_DIR}/lib NO_DEFAULT_PATH)
    if(OQAT_LIB_${library})
      list(APPEND TORCH_LIBRARIES ${OQAT_LIB_${library}})
    elseif(NOT library MATCHES cuda)
      message(FATAL_ERROR "OQAT_TORCH_DIR: ${OQAT_TORCH_DIR}/lib has no lib${library}")
    endif()
  endforeach()
  # What those libraries need is for them to find, when the program runs.
  list(APPEND TORCH_LIBRARIES -Wl,--as-needed -Wl,--unresolved-symbols=ignore-in-shared-libs)
  set(config ${OQAT_TORCH_DIR}/share/cmake/Torch/TorchConfig.cmake)
  set(TORCH_CXX_FLAGS "")
  if(EXISTS ${config})
    file(STRINGS ${config} TORCH_CXX_FLAGS REGEX "_GLIBCXX_USE_CXX11_ABI=0")
  endif()
  message(STATUS "Found Torch: ${OQAT_TORCH_DIR} (without TorchConfig.cmake)")
else()
  find_package(Torch CONFIG REQUIRED)
endif()
# Wheels before 2.7 have the old layout of std::string; everything linked with them must have it too.
if(TORCH_CXX_FLAGS MATCHES "_GLIBCXX_USE_CXX11_ABI=0")
  add_compile_definitions(_GLIBCXX_USE_CXX11_ABI=0)
  set(OQAT_OLD_ABI ON)
endif()
target_include_directories(oqat_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(oqat_torch INTERFACE ${TORCH_LIBRARIES})
find_package(OpenMP REQUIRED COMPONENTS CXX)
