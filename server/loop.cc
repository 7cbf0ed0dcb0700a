// SPDX-License-Identifier: Apache-2.0
#include "server/loop.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <memory>
#include <utility>

namespace oqat::server {

Loop::Loop() : work_(context_.get_executor()), thread_([this] { context_.run(); }) {}

Loop::~Loop() { Stop(); }

void Loop::Post(std::function<void()> task) { boost::asio::post(context_, std::move(task)); }

void Loop::After(std::chrono::milliseconds delay, std::function<void()> task) {
  auto timer = std::make_shared<boost::asio::steady_timer>(context_, delay);
  timer->async_wait([timer, task = std::move(task)](const boost::system::error_code& error) {
    if (!error) task();
  });
}

void Loop::RunAndWait(const std::function<void()>& task) {
  std::promise<void> ran;
  Post([&] {
    task();
    ran.set_value();
  });
  ran.get_future().wait();
}

void Loop::Stop() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

void Pool::Post(std::function<void()> task) { boost::asio::post(threads_, std::move(task)); }

void Pool::Stop() {
  threads_.stop();
  threads_.join();
}

}  // namespace oqat::server
