from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Path(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PATH_UNSPECIFIED: _ClassVar[Path]
    PATH_DIRECT: _ClassVar[Path]
    PATH_REVERSE: _ClassVar[Path]
    PATH_RELAY: _ClassVar[Path]
    PATH_NONE: _ClassVar[Path]

class FailureReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_REASON_UNSPECIFIED: _ClassVar[FailureReason]
    FAILURE_REASON_NO_PACKAGE: _ClassVar[FailureReason]
    FAILURE_REASON_REFUSED: _ClassVar[FailureReason]

class PeerMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PEER_METHOD_UNSPECIFIED: _ClassVar[PeerMethod]
    PEER_METHOD_GREET: _ClassVar[PeerMethod]
    PEER_METHOD_EXCHANGE: _ClassVar[PeerMethod]
PATH_UNSPECIFIED: Path
PATH_DIRECT: Path
PATH_REVERSE: Path
PATH_RELAY: Path
PATH_NONE: Path
FAILURE_REASON_UNSPECIFIED: FailureReason
FAILURE_REASON_NO_PACKAGE: FailureReason
FAILURE_REASON_REFUSED: FailureReason
PEER_METHOD_UNSPECIFIED: PeerMethod
PEER_METHOD_GREET: PeerMethod
PEER_METHOD_EXCHANGE: PeerMethod

class HelloRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HelloReply(_message.Message):
    __slots__ = ("time", "version", "config", "transfer_set")
    TIME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_SET_FIELD_NUMBER: _ClassVar[int]
    time: float
    version: str
    config: str
    transfer_set: str
    def __init__(self, time: _Optional[float] = ..., version: _Optional[str] = ..., config: _Optional[str] = ..., transfer_set: _Optional[str] = ...) -> None: ...

class CallBackRequest(_message.Message):
    __slots__ = ("address",)
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: str
    def __init__(self, address: _Optional[str] = ...) -> None: ...

class CallBackReply(_message.Message):
    __slots__ = ("reached",)
    REACHED_FIELD_NUMBER: _ClassVar[int]
    reached: bool
    def __init__(self, reached: _Optional[bool] = ...) -> None: ...

class JoinRequest(_message.Message):
    __slots__ = ("transfer_set", "address", "config", "start", "relay")
    TRANSFER_SET_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    RELAY_FIELD_NUMBER: _ClassVar[int]
    transfer_set: str
    address: str
    config: str
    start: bytes
    relay: str
    def __init__(self, transfer_set: _Optional[str] = ..., address: _Optional[str] = ..., config: _Optional[str] = ..., start: _Optional[bytes] = ..., relay: _Optional[str] = ...) -> None: ...

class Federation(_message.Message):
    __slots__ = ("federation_id", "certificate")
    FEDERATION_ID_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    federation_id: str
    certificate: bytes
    def __init__(self, federation_id: _Optional[str] = ..., certificate: _Optional[bytes] = ...) -> None: ...

class DirectivesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Directive(_message.Message):
    __slots__ = ("round_opened", "matched", "finished")
    ROUND_OPENED_FIELD_NUMBER: _ClassVar[int]
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    round_opened: RoundOpened
    matched: Matched
    finished: Finished
    def __init__(self, round_opened: _Optional[_Union[RoundOpened, _Mapping]] = ..., matched: _Optional[_Union[Matched, _Mapping]] = ..., finished: _Optional[_Union[Finished, _Mapping]] = ...) -> None: ...

class RoundOpened(_message.Message):
    __slots__ = ("round",)
    ROUND_FIELD_NUMBER: _ClassVar[int]
    round: int
    def __init__(self, round: _Optional[int] = ...) -> None: ...

class Matched(_message.Message):
    __slots__ = ("match", "ticket", "path", "address", "relay")
    MATCH_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    RELAY_FIELD_NUMBER: _ClassVar[int]
    match: Match
    ticket: bytes
    path: Path
    address: str
    relay: str
    def __init__(self, match: _Optional[_Union[Match, _Mapping]] = ..., ticket: _Optional[bytes] = ..., path: _Optional[_Union[Path, str]] = ..., address: _Optional[str] = ..., relay: _Optional[str] = ...) -> None: ...

class Finished(_message.Message):
    __slots__ = ("rounds",)
    ROUNDS_FIELD_NUMBER: _ClassVar[int]
    rounds: int
    def __init__(self, rounds: _Optional[int] = ...) -> None: ...

class Match(_message.Message):
    __slots__ = ("match_id", "round", "teacher", "student", "protocol", "curriculum", "score", "propensity")
    MATCH_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    TEACHER_FIELD_NUMBER: _ClassVar[int]
    STUDENT_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    CURRICULUM_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    match_id: str
    round: int
    teacher: str
    student: str
    protocol: str
    curriculum: _containers.RepeatedScalarFieldContainer[float]
    score: float
    propensity: float
    def __init__(self, match_id: _Optional[str] = ..., round: _Optional[int] = ..., teacher: _Optional[str] = ..., student: _Optional[str] = ..., protocol: _Optional[str] = ..., curriculum: _Optional[_Iterable[float]] = ..., score: _Optional[float] = ..., propensity: _Optional[float] = ...) -> None: ...

class ReportRequest(_message.Message):
    __slots__ = ("report_id", "profile", "outcome", "failure", "evaluation")
    REPORT_ID_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    report_id: str
    profile: Profile
    outcome: Outcome
    failure: Failure
    evaluation: Evaluation
    def __init__(self, report_id: _Optional[str] = ..., profile: _Optional[_Union[Profile, _Mapping]] = ..., outcome: _Optional[_Union[Outcome, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., evaluation: _Optional[_Union[Evaluation, _Mapping]] = ...) -> None: ...

class ReportReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AliveRequest(_message.Message):
    __slots__ = ("worked_ms", "leaving")
    WORKED_MS_FIELD_NUMBER: _ClassVar[int]
    LEAVING_FIELD_NUMBER: _ClassVar[int]
    worked_ms: int
    leaving: bool
    def __init__(self, worked_ms: _Optional[int] = ..., leaving: _Optional[bool] = ...) -> None: ...

class AliveReply(_message.Message):
    __slots__ = ("certificate",)
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    certificate: bytes
    def __init__(self, certificate: _Optional[bytes] = ...) -> None: ...

class Lists(_message.Message):
    __slots__ = ("lists", "digests")
    LISTS_FIELD_NUMBER: _ClassVar[int]
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    lists: _containers.RepeatedScalarFieldContainer[bytes]
    digests: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, lists: _Optional[_Iterable[bytes]] = ..., digests: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Profile(_message.Message):
    __slots__ = ("round", "family", "metrics", "histogram", "probe", "coverage", "schema")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    HISTOGRAM_FIELD_NUMBER: _ClassVar[int]
    PROBE_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    round: int
    family: _containers.RepeatedScalarFieldContainer[float]
    metrics: _containers.RepeatedScalarFieldContainer[float]
    histogram: _containers.RepeatedScalarFieldContainer[float]
    probe: _containers.RepeatedScalarFieldContainer[float]
    coverage: _containers.RepeatedScalarFieldContainer[float]
    schema: int
    def __init__(self, round: _Optional[int] = ..., family: _Optional[_Iterable[float]] = ..., metrics: _Optional[_Iterable[float]] = ..., histogram: _Optional[_Iterable[float]] = ..., probe: _Optional[_Iterable[float]] = ..., coverage: _Optional[_Iterable[float]] = ..., schema: _Optional[int] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("match_id", "loss_before", "loss_after", "probe_loss_before", "probe_loss_after", "score_before", "score_after", "bytes", "texts", "kept", "accepted", "unverified", "refused")
    MATCH_ID_FIELD_NUMBER: _ClassVar[int]
    LOSS_BEFORE_FIELD_NUMBER: _ClassVar[int]
    LOSS_AFTER_FIELD_NUMBER: _ClassVar[int]
    PROBE_LOSS_BEFORE_FIELD_NUMBER: _ClassVar[int]
    PROBE_LOSS_AFTER_FIELD_NUMBER: _ClassVar[int]
    SCORE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    SCORE_AFTER_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    UNVERIFIED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    match_id: str
    loss_before: float
    loss_after: float
    probe_loss_before: float
    probe_loss_after: float
    score_before: float
    score_after: float
    bytes: int
    texts: int
    kept: int
    accepted: bool
    unverified: int
    refused: int
    def __init__(self, match_id: _Optional[str] = ..., loss_before: _Optional[float] = ..., loss_after: _Optional[float] = ..., probe_loss_before: _Optional[float] = ..., probe_loss_after: _Optional[float] = ..., score_before: _Optional[float] = ..., score_after: _Optional[float] = ..., bytes: _Optional[int] = ..., texts: _Optional[int] = ..., kept: _Optional[int] = ..., accepted: _Optional[bool] = ..., unverified: _Optional[int] = ..., refused: _Optional[int] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("match_id", "reason")
    MATCH_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    match_id: str
    reason: FailureReason
    def __init__(self, match_id: _Optional[str] = ..., reason: _Optional[_Union[FailureReason, str]] = ...) -> None: ...

class Evaluation(_message.Message):
    __slots__ = ("stage", "round", "split", "problems", "samples", "k", "pass_at_k", "by_category", "loss", "perplexity", "texts_kept", "codebleu", "exact_match", "own_categories", "cut", "correct")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    PASS_AT_K_FIELD_NUMBER: _ClassVar[int]
    BY_CATEGORY_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    PERPLEXITY_FIELD_NUMBER: _ClassVar[int]
    TEXTS_KEPT_FIELD_NUMBER: _ClassVar[int]
    CODEBLEU_FIELD_NUMBER: _ClassVar[int]
    EXACT_MATCH_FIELD_NUMBER: _ClassVar[int]
    OWN_CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    CORRECT_FIELD_NUMBER: _ClassVar[int]
    stage: int
    round: int
    split: int
    problems: int
    samples: int
    k: _containers.RepeatedScalarFieldContainer[int]
    pass_at_k: _containers.RepeatedScalarFieldContainer[float]
    by_category: _containers.RepeatedScalarFieldContainer[float]
    loss: float
    perplexity: float
    texts_kept: int
    codebleu: float
    exact_match: float
    own_categories: bool
    cut: int
    correct: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, stage: _Optional[int] = ..., round: _Optional[int] = ..., split: _Optional[int] = ..., problems: _Optional[int] = ..., samples: _Optional[int] = ..., k: _Optional[_Iterable[int]] = ..., pass_at_k: _Optional[_Iterable[float]] = ..., by_category: _Optional[_Iterable[float]] = ..., loss: _Optional[float] = ..., perplexity: _Optional[float] = ..., texts_kept: _Optional[int] = ..., codebleu: _Optional[float] = ..., exact_match: _Optional[float] = ..., own_categories: _Optional[bool] = ..., cut: _Optional[int] = ..., correct: _Optional[_Iterable[int]] = ...) -> None: ...

class Greeting(_message.Message):
    __slots__ = ("ticket", "certificate", "offer")
    TICKET_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    OFFER_FIELD_NUMBER: _ClassVar[int]
    ticket: bytes
    certificate: bytes
    offer: bytes
    def __init__(self, ticket: _Optional[bytes] = ..., certificate: _Optional[bytes] = ..., offer: _Optional[bytes] = ...) -> None: ...

class Sealed(_message.Message):
    __slots__ = ("ticket", "offer", "envelope")
    TICKET_FIELD_NUMBER: _ClassVar[int]
    OFFER_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    ticket: bytes
    offer: bytes
    envelope: bytes
    def __init__(self, ticket: _Optional[bytes] = ..., offer: _Optional[bytes] = ..., envelope: _Optional[bytes] = ...) -> None: ...

class ListenRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Relayed(_message.Message):
    __slots__ = ("number", "certificate", "method", "body")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    number: int
    certificate: bytes
    method: PeerMethod
    body: bytes
    def __init__(self, number: _Optional[int] = ..., certificate: _Optional[bytes] = ..., method: _Optional[_Union[PeerMethod, str]] = ..., body: _Optional[bytes] = ...) -> None: ...

class RelayedCall(_message.Message):
    __slots__ = ("organisation", "agent", "method", "body")
    ORGANISATION_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    organisation: str
    agent: str
    method: PeerMethod
    body: bytes
    def __init__(self, organisation: _Optional[str] = ..., agent: _Optional[str] = ..., method: _Optional[_Union[PeerMethod, str]] = ..., body: _Optional[bytes] = ...) -> None: ...

class RelayedAnswer(_message.Message):
    __slots__ = ("number", "body", "refusal", "try_again")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    TRY_AGAIN_FIELD_NUMBER: _ClassVar[int]
    number: int
    body: bytes
    refusal: str
    try_again: bool
    def __init__(self, number: _Optional[int] = ..., body: _Optional[bytes] = ..., refusal: _Optional[str] = ..., try_again: _Optional[bool] = ...) -> None: ...

class AnswerReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
