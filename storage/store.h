#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace oqat::storage {

// The records of a coordinator. Everything that ends in _json is opaque text to this room: what it
// means is the caller's business. Times are milliseconds since the Unix epoch, read from the
// caller's clock. Identifiers are given by the caller and must not be empty.

/// A served model. `content_id` is the sha256 of the manifest's canonical form.
struct Model {
  std::string name;
  std::string content_id;
  std::string manifest_json;
  std::int64_t create_time_ms = 0;

  bool operator==(const Model&) const = default;
};

/// A file of the data directory that is complete and whose checksum was verified. Which artifacts
/// are still referred to follows from the manifests, so the caller works it out.
struct Artifact {
  std::string sha256;     ///< 64 lower-case hex digits
  std::int64_t size = 0;  ///< bytes
  std::int64_t create_time_ms = 0;

  bool operator==(const Artifact&) const = default;
};

/// A search request and where it stands.
struct Search {
  std::string id;
  std::string request_id;  ///< unique among searches unless empty
  std::string model_name;
  std::string model_content_id;
  std::string request_json;
  std::string state;
  std::string error;
  std::int64_t create_time_ms = 0;
  std::int64_t update_time_ms = 0;
  std::int64_t end_time_ms = 0;  ///< 0 until the search has ended
  std::string outcome_json;

  bool operator==(const Search&) const = default;
};

/// A change of a search's state. Fields without a value stay as they are.
struct SearchUpdate {
  std::string id;
  std::string state;
  std::int64_t update_time_ms = 0;
  std::optional<std::string> error;
  std::optional<std::int64_t> end_time_ms;
  std::optional<std::string> outcome_json;
};

/// Where a page of searches ended: the next page holds what is older.
struct SearchCursor {
  std::int64_t create_time_ms = std::numeric_limits<std::int64_t>::max();
  std::string id;
};

/// One architecture to measure.
struct Candidate {
  std::int64_t index = 0;  ///< 0 or more, unique within the round
  std::string architecture_key;
  std::string split;  ///< "search" or "test"
  std::string evaluation_key;

  bool operator==(const Candidate&) const = default;
};

/// Round of what a search took over from earlier ones.
inline constexpr std::int64_t kEarlierRound = -1;

/// Candidates that were proposed together.
struct Round {
  std::string search_id;
  std::int64_t round = 0;  ///< 0 or more, or kEarlierRound
  std::string note_json;
  std::vector<Candidate> candidates;  ///< listed in order of index

  bool operator==(const Round&) const = default;
};

/// How one candidate ended.
struct CandidateResult {
  std::string search_id;
  std::int64_t round = 0;
  std::int64_t index = 0;
  std::string state;  ///< "done", "failed" or "cached"
  std::string metrics_json;
  std::string error;
  std::string worker;
  std::int64_t finish_time_ms = 0;
  std::int64_t duration_ms = 0;

  bool operator==(const CandidateResult&) const = default;
};

/// Where a page of results ended: the next page holds what follows in order of (round, index).
struct ResultCursor {
  std::int64_t round = -1;
  std::int64_t index = -1;
};

/// One entry of the evaluation cache, which outlives searches.
struct Evaluation {
  std::string key;  ///< 64 lower-case hex digits
  std::string metrics_json;
  std::int64_t create_time_ms = 0;
  std::string worker;

  bool operator==(const Evaluation&) const = default;
};

/// One entry of a search's log. The store numbers them 1, 2, 3, ... per search, without gaps.
struct Event {
  std::string search_id;
  std::int64_t sequence = 0;
  std::int64_t time_ms = 0;
  std::string type;
  std::string payload_json;

  bool operator==(const Event&) const = default;
};

/// What a coordinator must not lose.
///
/// Every call is one transaction: when it returns, its effect is durable (it survives a killed
/// process and a lost power supply, as far as the disk keeps its word); when it throws, it had no
/// effect. Exceptions are oqat::Error: INVALID_ARGUMENT (a malformed field or a limit below 1),
/// NOT_FOUND, ALREADY_EXISTS, RESOURCE_EXHAUSTED (the disk is full), DATA_LOSS (damaged file),
/// UNAVAILABLE (another process holds the database for too long), INTERNAL (other disk faults; a
/// write that failed so may nevertheless be there after a crash, so repeat it).
///
/// Threads: calls may come from any thread; they are carried out one after the other, so a caller
/// waits while another one writes. AsyncStore keeps that wait off an event loop.
class Store {
 public:
  static constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

  virtual ~Store() = default;

  /// Runs `body` as one transaction: all of its writes become durable together when this returns,
  /// and none is kept if `body` throws (the exception goes on to the caller). Inside another
  /// InTransaction, a throwing body takes back only its own writes. If a fault such as a full disk
  /// made the database give up the whole transaction, the outermost call throws ABORTED even if
  /// `body` caught that fault. Other threads wait meanwhile.
  virtual void InTransaction(const std::function<void()>& body) = 0;

  /// The version of the schema this store works with.
  virtual int SchemaVersion() = 0;

  // Models.

  /// ALREADY_EXISTS if the name is taken.
  virtual void InsertModel(const Model& model) = 0;
  virtual std::optional<Model> GetModel(const std::string& name) = 0;
  /// Models whose names follow `after_name` (bytewise), in order of name.
  virtual std::vector<Model> ListModels(const std::string& after_name, std::int64_t limit) = 0;
  /// NOT_FOUND if there is none. Searches that refer to it stay; ask CountSearchesOfModel first.
  virtual void DeleteModel(const std::string& name) = 0;
  /// How many searches name this model and are in one of `states` (in any state if empty).
  virtual std::int64_t CountSearchesOfModel(const std::string& model_name,
                                            const std::vector<std::string>& states) = 0;

  // Artifacts.

  /// True if it is new; an artifact that is known already is left as it is.
  virtual bool InsertArtifact(const Artifact& artifact) = 0;
  virtual bool HasArtifact(const std::string& sha256) = 0;
  /// NOT_FOUND if there is none.
  virtual void DeleteArtifact(const std::string& sha256) = 0;
  /// Artifacts that follow `after_sha256`, in order of sha256.
  virtual std::vector<Artifact> ListArtifacts(const std::string& after_sha256,
                                              std::int64_t limit) = 0;

  // Searches.

  /// ALREADY_EXISTS, naming which, if the id or the request id is taken.
  virtual void InsertSearch(const Search& search) = 0;
  virtual std::optional<Search> GetSearch(const std::string& id) = 0;
  /// For creating a search twice with one request id. Nothing for the empty request id.
  virtual std::optional<Search> GetSearchByRequestId(const std::string& request_id) = 0;
  /// Newest first (creation time, then id), older than `after`; only searches in one of `states`
  /// unless that is empty.
  virtual std::vector<Search> ListSearches(const std::vector<std::string>& states,
                                           const SearchCursor& after, std::int64_t limit) = 0;
  /// NOT_FOUND if there is none.
  virtual void UpdateSearchState(const SearchUpdate& update) = 0;
  /// Takes its rounds, candidates, results and events with it; cached evaluations stay.
  /// NOT_FOUND if there is none.
  virtual void DeleteSearch(const std::string& id) = 0;

  // Rounds and results.

  /// Stores the round with its candidates. ALREADY_EXISTS if the search has this round (or two
  /// candidates share an index), NOT_FOUND if there is no such search.
  virtual void InsertRound(const Round& round) = 0;
  /// Rounds above `after_round` (by default all) with their candidates, in order.
  virtual std::vector<Round> ListRounds(const std::string& search_id,
                                        std::int64_t after_round = kEarlierRound - 1,
                                        std::int64_t limit = kNoLimit) = 0;
  /// True if it is new; a candidate's first result wins and later ones change nothing.
  /// NOT_FOUND if there is no such candidate.
  virtual bool RecordResult(const CandidateResult& result) = 0;
  /// Results that follow `after`, in order of (round, index).
  virtual std::vector<CandidateResult> ListResults(const std::string& search_id,
                                                   const ResultCursor& after = {},
                                                   std::int64_t limit = kNoLimit) = 0;

  // The evaluation cache.

  /// True if it is new; the first evaluation under a key stays.
  virtual bool PutEvaluation(const Evaluation& evaluation) = 0;
  /// Those of `keys` that are cached, in the order of `keys`.
  virtual std::vector<Evaluation> GetEvaluations(const std::vector<std::string>& keys) = 0;

  // Events.

  /// Appends to the search's log and returns the sequence number it got; `event.sequence` is not
  /// read. NOT_FOUND if there is no such search.
  virtual std::int64_t AppendEvent(const Event& event) = 0;
  /// Events with a sequence number above `after_sequence`, in order.
  virtual std::vector<Event> ListEvents(const std::string& search_id, std::int64_t after_sequence,
                                        std::int64_t limit) = 0;

  // Facts about the database itself, for example its instance id.

  virtual std::optional<std::string> GetMeta(const std::string& key) = 0;
  virtual void PutMeta(const std::string& key, const std::string& value) = 0;
};

}  // namespace oqat::storage
