//! The public protocol, as `docs/protocol.md` describes it: what clients say, what the server says, the binary form of states, the hash
//! that lets both agree, and the compact form of a history grid. Nothing here touches a socket or a clock.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files"))]
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "numbers in tests are small"
    )
)]

mod accuracy;
mod binary;
mod channel;
mod client;
mod codes;
mod compact;
mod grid;
mod hash;
mod http;
mod ingest;
mod level;
mod measured;
mod number;
mod server;
mod time;

pub use accuracy::{AccuracyBody, AccuracyPeriod, PredictorAccuracy, VenueAccuracy};
pub use binary::{
    BINARY_PROTOCOL, BinaryState, DecodeError, DecodedState, STATE_CONTENT_TYPE, TEXT_PROTOCOL,
    binary_beginning, decode_state, encode_state, put_varint, take_varint,
};
pub use channel::{AlertRow, Channel, ChannelEnvelope, OpenCandle, PriceData, channel_message};
pub use client::{
    Ack, CHANNELS_PER_MESSAGE_MAX, ClientCommand, CommandError, HeatmapView, Mode, Position,
    SUBSCRIPTION_ID_BYTES_MAX, SYMBOLS_PER_MESSAGE_MAX, Subscribe, Token, Unsubscribe, ViewHorizon,
    parse_command,
};
pub use codes::{CloseCode, ErrorCode, FeedState, SideJson, WarningCode};
pub use compact::{
    LeverageUsd, LiquidationSummaryBody, LiquidationTotal, LiquidationWindow, MapBody, MapRow, MaxPainBody,
    PainLevel, StateReference, VenueLiquidations, WallRow, WallsBody,
};
pub use grid::{GRID_CONTENT_TYPE, GridHeader, GridLayout, GridScale, encode_grid};
pub use hash::{Cell, StateHash};
pub use http::{
    BoardStats, CandleRow, DateRangeBody, ErrorBody, GridJson, HealthBody, KlinesBody, LevelRow, LevelsBody,
    LiquidationPriceBody, LiquidationPriceRow, LiquidationRow, LiquidationsBody, LiveStats,
    OlderLiquidationRow, PriceRange, SeriesBody, SeriesRow, SourceStats, StatsBody, StreamStats, SymbolRow,
    SymbolsBody, TierRow, TiersBody, TimeseriesBody, TimeseriesMeta, TimeseriesRow, VenueTiers, WriterStats,
};
pub use ingest::{IngestBody, IngestStateBody};
pub use level::LevelMessage;
pub use measured::{MeasuredBody, MeasuredLevel, MeasuredPosition, MeasuredSideBody};
pub use number::Decimal;
pub use server::{ChannelMessage, RowsMessage, ServerMessage, SourceMessage, StateData, json_beginning};
pub use time::{TimeError, format_time, parse_time};
