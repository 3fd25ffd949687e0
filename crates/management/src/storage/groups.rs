//! Groups and who is in them. A group is looked up for somebody: what they may not see is not there, and what they may not change
//! they get no [`ManagedGroup`] of.

use protocol::control::{GroupTie, Side};
use protocol::{CellId, GroupId, TenantId, UserId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::gathered::{LookedUp, Placed, column};
use super::{StorageError, TenantTransaction, group_invitations};
use crate::access::{Contributor, SignedIn};
use crate::clock::{after, moment};
use crate::database::Database;
use crate::limits;
use crate::person::{Name, Role};

/// What somebody may do in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GroupRole {
    /// Inviting, removing, renaming, archiving.
    Admin,
    Member,
}

impl GroupRole {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    pub(super) fn stored(text: &str) -> Result<Self, StorageError> {
        Ok(match text {
            "admin" => Self::Admin,
            "member" => Self::Member,
            _ => return Err(StorageError::Unreadable("role in a group")),
        })
    }
}

/// A group, as somebody sees it.
#[derive(Debug)]
pub(crate) struct Group {
    pub id: GroupId,
    pub name: String,
    pub archived: bool,
    /// Theirs in it; owners and admins of the organisation see groups that they are not in.
    pub role: Option<GroupRole>,
    pub members: i64,
    manages: bool,
}

impl Group {
    /// Whether they may change it.
    pub(crate) fn manages(&self) -> bool {
        self.manages
    }

    /// The group as somebody has it who may change it.
    pub(crate) fn managed(self) -> Option<ManagedGroup> {
        self.manages.then_some(ManagedGroup(self))
    }
}

/// A group that whoever looked it up may change: they are an admin of it, or manage the organisation.
#[derive(Debug)]
pub(crate) struct ManagedGroup(Group);

impl std::ops::Deref for ManagedGroup {
    type Target = Group;

    fn deref(&self) -> &Group {
        &self.0
    }
}

/// Makes a group; its maker is its first admin. `None` when there are as many as there may be.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    person: &Contributor,
    name: &Name,
    now: OffsetDateTime,
) -> Result<Option<GroupId>, StorageError> {
    let id = GroupId::new();
    let joined = sqlx::query!(
        "WITH made AS (
            INSERT INTO groups (id, tenant_id, name, created_at) SELECT $2, $1, $3, $4
            WHERE (SELECT count(*) FROM groups WHERE tenant_id = $1 AND archived_at IS NULL) < $7 RETURNING id)
         INSERT INTO group_members (tenant_id, group_id, user_id, role, joined_at) SELECT $1, id, $5, $6, $4 FROM made",
        transaction.tenant().uuid(),
        id.uuid(),
        name.as_str(),
        now,
        person.signed_in().session().user.uuid(),
        GroupRole::Admin.as_str(),
        limits::GROUPS
    )
    .execute(&mut **transaction)
    .await?;
    Ok((joined.rows_affected() == 1).then_some(id))
}

/// Whose groups are listed.
pub(crate) struct Seeing {
    tenant: TenantId,
    user: UserId,
    /// Also those that they are not in.
    every: bool,
}

/// A group as its rows have it, with the role in it of whoever sees it.
pub(crate) struct Seen {
    id: GroupId,
    name: String,
    archived: bool,
    role: Option<String>,
    members: i64,
}

impl Seen {
    /// Owners and admins of the organisation manage every group, its admins theirs; observers change nothing anywhere.
    fn by(self, person: &SignedIn) -> Result<Group, StorageError> {
        let role = self.role.as_deref().map(GroupRole::stored).transpose()?;
        Ok(Group {
            id: self.id,
            name: self.name,
            archived: self.archived,
            role,
            members: self.members,
            manages: person.manages() || (role == Some(GroupRole::Admin) && person.session().role != Role::Observer),
        })
    }
}

/// The groups that somebody sees, by name, archived ones last: one more than an answer lists, to know that there are more.
pub(crate) async fn list(database: &Database, person: &SignedIn) -> Result<Vec<Group>, StorageError> {
    let session = person.session();
    let seeing = Seeing {
        tenant: session.tenant,
        user: session.user,
        every: person.manages(),
    };
    let seen = database.look_ups().groups.ask(database, seeing).await?;
    seen.into_iter().flatten().map(|group| group.by(person)).collect()
}

impl LookedUp for Seeing {
    type Found = Vec<Seen>;
    const TOGETHER: usize = limits::LISTS_TOGETHER;

    async fn look_up(database: &Database, asked: &[Self]) -> Result<Placed<Vec<Seen>>, StorageError> {
        let rows = sqlx::query!(
            r#"SELECT asked.place AS "place!", id AS "id!", name AS "name!", archived AS "archived!", seen.role, members AS "members!"
            FROM unnest($1::uuid[], $2::uuid[], $3::boolean[]) WITH ORDINALITY AS asked (tenant, person, every, place)
            CROSS JOIN LATERAL groups_seen(asked.tenant, asked.person, asked.every, $4)
                WITH ORDINALITY AS seen (id, name, archived, role, members, number)
            ORDER BY asked.place, seen.number"#,
            &column(asked, |each| each.tenant.uuid()),
            &column(asked, |each| each.user.uuid()),
            &column(asked, |each| each.every),
            limits::GROUPS_LISTED + 1
        )
        .fetch_all(database.pool())
        .await?;
        let mut lists: Placed<Vec<Seen>> = Vec::new();
        for row in rows {
            let seen = Seen {
                id: row.id.into(),
                name: row.name,
                archived: row.archived,
                role: row.role,
                members: row.members,
            };
            match lists.last_mut() {
                Some((place, Ok(list))) if *place == row.place => list.push(seen),
                _ => lists.push((row.place, Ok(vec![seen]))),
            }
        }
        Ok(lists)
    }
}

/// Looks a group up, locked against changes by others; `None` if this person may not see it.
pub(crate) async fn find(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    id: GroupId,
) -> Result<Option<Group>, StorageError> {
    let row = sqlx::query!(
        r#"SELECT g.name, g.archived_at, m.role AS "role?",
            (SELECT count(*) FROM group_members c WHERE c.tenant_id = g.tenant_id AND c.group_id = g.id) AS "members!"
         FROM groups g
         LEFT JOIN group_members m ON m.tenant_id = g.tenant_id AND m.group_id = g.id AND m.user_id = $3
         WHERE g.tenant_id = $1 AND g.id = $2 AND (m.user_id IS NOT NULL OR $4)
         FOR UPDATE OF g"#,
        transaction.tenant().uuid(),
        id.uuid(),
        person.session().user.uuid(),
        person.manages()
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    row.map(|row| {
        let seen = Seen {
            id,
            name: row.name,
            archived: row.archived_at.is_some(),
            role: row.role,
            members: row.members,
        };
        seen.by(person)
    })
    .transpose()
}

/// Gives the group this name, and puts it away or takes it out again; false if there are as many as there may be that are not put away.
/// Putting it away ends its open invitations.
pub(crate) async fn change(
    transaction: &mut TenantTransaction,
    group: &ManagedGroup,
    name: &Name,
    archived: bool,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let (tenant, id) = (transaction.tenant().uuid(), group.id.uuid());
    let changed = sqlx::query!(
        "UPDATE groups SET name = $3, archived_at = CASE WHEN $4 THEN coalesce(archived_at, $5) END,
            taken_out_at = CASE WHEN archived_at IS NOT NULL AND NOT $4 THEN $5 ELSE taken_out_at END
         WHERE tenant_id = $1 AND id = $2 AND ($4 OR archived_at IS NULL
            OR (SELECT count(*) FROM groups WHERE tenant_id = $1 AND archived_at IS NULL) < $6)",
        tenant,
        id,
        name.as_str(),
        archived,
        now,
        limits::GROUPS
    );
    let changed = changed.execute(&mut **transaction).await?.rows_affected() == 1;
    if archived {
        super::group_invitations::withdraw_all(transaction, group, now).await?;
    }
    Ok(changed)
}

/// Somebody in a group.
#[derive(Debug)]
pub(crate) struct Member {
    pub id: UserId,
    pub name: String,
    pub email: String,
    pub role: GroupRole,
}

/// Who is in a group that was looked up, by name.
pub(crate) async fn members(transaction: &mut TenantTransaction, group: &Group) -> Result<Vec<Member>, StorageError> {
    let rows = sqlx::query!(
        "SELECT u.id, u.name, u.email, m.role FROM group_members m
         JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.user_id
         WHERE m.tenant_id = $1 AND m.group_id = $2 ORDER BY lower(u.name), u.id LIMIT $3",
        transaction.tenant().uuid(),
        group.id.uuid(),
        limits::GROUP_MEMBERS
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Member {
                id: row.id.into(),
                name: row.name,
                email: row.email,
                role: GroupRole::stored(&row.role)?,
            })
        })
        .collect()
}

/// Puts somebody into a group, unless it is full; who is in it already keeps their role. Whether they are in it.
pub(super) async fn join(
    transaction: &mut TenantTransaction,
    group: GroupId,
    user: UserId,
    role: GroupRole,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let joined = sqlx::query!(
        "INSERT INTO group_members AS m (tenant_id, group_id, user_id, role, joined_at) SELECT $1, $2, $3, $4, $5
         WHERE (SELECT count(*) FROM group_members WHERE tenant_id = $1 AND group_id = $2 AND user_id <> $3) < $6
         ON CONFLICT (tenant_id, group_id, user_id) DO UPDATE SET role = m.role",
        transaction.tenant().uuid(),
        group.uuid(),
        user.uuid(),
        role.as_str(),
        now,
        limits::GROUP_MEMBERS
    );
    Ok(joined.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Gives a member another role, and takes back open invitations that they sent and could not send with it: their name, or `None` if nobody
/// of this id is in the group.
pub(crate) async fn change_role(
    transaction: &mut TenantTransaction,
    group: &ManagedGroup,
    user: UserId,
    role: GroupRole,
    now: OffsetDateTime,
) -> Result<Option<String>, StorageError> {
    let name = sqlx::query_scalar!(
        "UPDATE group_members m SET role = $4, role_changed_at = CASE WHEN m.role <> $4 THEN $5 ELSE m.role_changed_at END FROM users u
         WHERE m.tenant_id = $1 AND m.group_id = $2 AND m.user_id = $3 AND u.tenant_id = m.tenant_id AND u.id = m.user_id
         RETURNING u.name",
        transaction.tenant().uuid(),
        group.id.uuid(),
        user.uuid(),
        role.as_str(),
        now
    );
    let name = name.fetch_optional(&mut **transaction).await?;
    group_invitations::withdraw_unmanaged(transaction, user, now).await?;
    Ok(name)
}

/// Takes a member out, who loses everything of the group at once, also the invitations that they sent: their name, or `None` if nobody of this id is in it. Who may do
/// it was decided with the look-up: the group's managers, and each for themselves.
pub(crate) async fn remove(
    transaction: &mut TenantTransaction,
    removal: Removal<'_>,
    now: OffsetDateTime,
) -> Result<Option<String>, StorageError> {
    let (group, user) = match removal {
        Removal::Of(group, user) => (group.id, user),
        Removal::Leaving(group, person) => (group.id, person.session().user),
    };
    sqlx::query!(
        "UPDATE group_invitations SET withdrawn_at = $4
         WHERE tenant_id = $1 AND group_id = $2 AND invited_by = $3 AND accepted_at IS NULL AND withdrawn_at IS NULL",
        transaction.tenant().uuid(),
        group.uuid(),
        user.uuid(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    let name = sqlx::query_scalar!(
        "DELETE FROM group_members m USING users u
         WHERE m.tenant_id = $1 AND m.group_id = $2 AND m.user_id = $3 AND u.tenant_id = m.tenant_id AND u.id = m.user_id
         RETURNING u.name",
        transaction.tenant().uuid(),
        group.uuid(),
        user.uuid()
    );
    Ok(name.fetch_optional(&mut **transaction).await?)
}

/// Whether something that is shared in a group may still be used, as far as the group goes. Asked for each use, of the rows that say who is
/// in it: nobody who changes them has to think of it.
pub(crate) async fn tie_stands(
    transaction: &mut TenantTransaction,
    cell: CellId,
    tie: &GroupTie,
) -> Result<bool, StorageError> {
    let Some(since) = moment(tie.since) else {
        return Ok(false);
    };
    let stands = sqlx::query_scalar!(
        r#"SELECT EXISTS (
            SELECT FROM cells c
            JOIN users own ON own.tenant_id = c.tenant_id AND own.id = c.user_id
            JOIN users other ON other.tenant_id = c.tenant_id AND other.id = $4
            JOIN groups g ON g.tenant_id = c.tenant_id AND g.id = $3
            JOIN group_members i ON i.tenant_id = c.tenant_id AND i.group_id = g.id AND i.user_id = own.id
            JOIN group_members they ON they.tenant_id = c.tenant_id AND they.group_id = g.id AND they.user_id = other.id
            WHERE c.tenant_id = $1 AND c.id = $2 AND g.archived_at IS NULL AND own.deactivated_at IS NULL AND other.deactivated_at IS NULL
                AND i.joined_at <= $6 AND they.joined_at <= $6 AND (g.taken_out_at IS NULL OR g.taken_out_at <= $6)
                AND CASE WHEN $5
                    THEN i.role = 'admin' AND own.role <> 'observer' AND (i.role_changed_at IS NULL OR i.role_changed_at <= $6)
                    ELSE they.role = 'admin' AND other.role <> 'observer' AND (they.role_changed_at IS NULL OR they.role_changed_at <= $6)
                END
        ) AS "stands!""#,
        transaction.tenant().uuid(),
        cell.uuid(),
        tie.group.uuid(),
        tie.other.uuid(),
        tie.own == Side::Gives,
        after(since, limits::GROUP_TIE_SKEW)
    );
    Ok(stands.fetch_one(&mut **transaction).await?)
}

/// Who is taken out of a group: anybody, by who may change it, or oneself.
pub(crate) enum Removal<'a> {
    Of(&'a ManagedGroup, UserId),
    Leaving(&'a Group, &'a SignedIn),
}
