// SPDX-License-Identifier: Apache-2.0
#include "server/view_convert.h"

#include <limits>

#include "rpc/convert.h"
#include "rpc/names.h"

namespace oqat::server {
namespace {

v1::Search::State ToProto(SearchState state) {
  switch (state) {
    case SearchState::kPending: return v1::Search::PENDING;
    case SearchState::kRunning: return v1::Search::RUNNING;
    case SearchState::kPaused: return v1::Search::PAUSED;
    case SearchState::kSucceeded: return v1::Search::SUCCEEDED;
    case SearchState::kCancelled: return v1::Search::CANCELLED;
    case SearchState::kFailed: return v1::Search::FAILED;
  }
  return v1::Search::STATE_UNSPECIFIED;
}

v1::Evaluation::State StateOf(const TrialView& view) {
  switch (view.trial.state) {
    case Trial::State::kDone: return v1::Evaluation::DONE;
    case Trial::State::kFailed: return v1::Evaluation::FAILED;
    case Trial::State::kOpen: break;
  }
  return view.leased ? v1::Evaluation::LEASED : v1::Evaluation::QUEUED;
}

}  // namespace

v1::Search ToProto(const SearchView& view) {
  v1::Search message;
  message.set_name(rpc::SearchName(view.id));
  message.set_model(rpc::ModelName(view.model));
  message.set_model_content_id(view.model_content_id);
  *message.mutable_spec() =
      rpc::ToProto(rpc::SearchSpecParts{view.spec.request, view.spec.measurement});
  message.set_state(ToProto(view.state));
  message.set_error(view.error);
  *message.mutable_create_time() = rpc::TimestampFromMs(view.create_time_ms);
  if (view.start_time_ms != 0) {
    *message.mutable_start_time() = rpc::TimestampFromMs(view.start_time_ms);
  }
  if (view.end_time_ms != 0) {
    *message.mutable_end_time() = rpc::TimestampFromMs(view.end_time_ms);
  }
  v1::SearchProgress& progress = *message.mutable_progress();
  progress.set_rounds(view.counts.rounds);
  progress.set_evaluations_done(view.counts.done);
  progress.set_evaluations_total(view.spec.request.evaluations);
  progress.set_evaluations_cached(view.counts.cached);
  progress.set_evaluations_failed(view.counts.failed);
  progress.set_in_flight(view.in_flight);
  progress.set_final_done(view.counts.final_done);
  progress.set_final_total(view.counts.final_total);
  progress.set_connected_workers(view.connected_workers);
  progress.set_predictor_tau(std::numeric_limits<double>::quiet_NaN());
  progress.set_predictor_tau_best(std::numeric_limits<double>::quiet_NaN());
  if (view.report) {
    progress.set_hypervolume(view.report->hypervolume);
    progress.set_front_size(view.report->front_size);
    if (view.report->predictor_tau) progress.set_predictor_tau(*view.report->predictor_tau);
    if (view.report->predictor_tau_best) {
      progress.set_predictor_tau_best(*view.report->predictor_tau_best);
    }
  }
  progress.set_note(view.note);
  return message;
}

v1::Evaluation ToProto(const TrialView& view) {
  v1::Evaluation message;
  message.set_name(rpc::EvaluationNameText({view.search, view.round, view.index}));
  message.set_round(view.round);
  message.set_index(view.index);
  *message.mutable_architecture() = rpc::ToProto(view.trial.architecture);
  message.set_architecture_key(view.trial.architecture_key);
  rpc::MetricsToProto(view.trial.metrics, *message.mutable_metrics());
  if (view.test_metrics) rpc::MetricsToProto(*view.test_metrics, *message.mutable_test_metrics());
  message.set_state(StateOf(view));
  message.set_cached(view.trial.cached);
  message.set_worker(view.trial.worker);
  message.set_error(view.trial.error);
  message.set_seconds(view.trial.seconds);
  message.set_stopped_after(view.trial.stopped_after);
  message.set_cpu(view.cpu);
  return message;
}

v1::Front ToProto(const FrontView& view) {
  v1::Front message;
  message.set_search(rpc::SearchName(view.search));
  for (const search::Objective& objective : view.objectives) {
    *message.add_objectives() = rpc::ToProto(objective);
  }
  for (const TrialView& member : view.members) *message.add_evaluations() = ToProto(member);
  message.set_hypervolume(view.hypervolume);
  message.set_final(view.final);
  return message;
}

v1::SearchEvent ToProto(const EventView& view, const SearchView& search) {
  v1::SearchEvent message;
  message.set_sequence(view.sequence);
  *message.mutable_time() = rpc::TimestampFromMs(view.time_ms);
  message.set_type(view.type);
  *message.mutable_search() = ToProto(search);
  if (view.trial) *message.mutable_evaluation() = ToProto(*view.trial);
  message.set_message(view.message);
  return message;
}

}  // namespace oqat::server
