"Progress: nothing is kept without consent, nothing is lost, nothing leaves the machine"
import json, os, subprocess, sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from collab_course.course.exercises import practices
from collab_course.course.progress import events, forget_progress, keep_progress, progress_file, record
from collab_course.course.standing import greeting, progress

@pytest.fixture(autouse=True)
def path(tmp_path, monkeypatch):
    monkeypatch.setenv('COLLAB_COURSE_PROGRESS', str(tmp_path/'deep'/'progress.jsonl'))
    return tmp_path/'deep'/'progress.jsonl'

@pytest.fixture
def chapter(): return practices()[0]

def test_nothing_is_written_without_consent(path, chapter):
    e = chapter.exercises[0]
    e.check(e.answer)
    e.hint()
    e.solution()
    chapter.mark({1: 'a'})
    progress()
    assert not path.parent.exists()

def test_what_is_checked_is_kept_after_consent(path, chapter):
    keep_progress()
    e = chapter.exercises[0]
    e.check(e.untouched())
    e.check(lambda *a: 5)
    e.hint(1)
    e.check(e.answer)
    assert list(events().what)==['wrong', 'hint',
                                 'right'] and set(events().name)=={e.name} and set(events().chapter)=={chapter.chapter}

def test_keeping_twice_loses_nothing(path):
    keep_progress()
    record('01', 'a', 'right')
    keep_progress()
    assert len(events())==1

def test_one_command_deletes_it(path):
    keep_progress()
    record('01', 'a', 'right')
    assert str(path) in forget_progress() and not path.exists()
    record('01', 'a', 'right')
    assert not path.exists() and 'Nothing was kept' in forget_progress()

def test_right_once_stays_right(chapter):
    keep_progress()
    name = chapter.exercises[0].name
    for o in ('wrong', 'right', 'wrong'): record(chapter.chapter, name, o)
    n = len(chapter.exercises)
    assert progress(chapter.chapter).table.exercises[0]==f'1 of {n}'
    assert name not in progress(chapter.chapter).todo

def test_what_comes_next_is_the_first_that_is_left(chapter):
    keep_progress()
    assert chapter.exercises[0].name in progress().todo and f'{chapter.chapter}_{chapter.name}.ipynb' in progress().todo

def test_when_everything_is_done_the_projects_come_next():
    keep_progress()
    for o in practices():
        for e in o.exercises: record(o.chapter, e.name, 'right')
        for n,_ in enumerate(o.questions, 1): record(o.chapter, f'question {n}', 'right')
    assert 'project' in progress().todo

def test_every_chapter_has_a_row(): assert len(progress().table)==len(practices())

@pytest.mark.parametrize('bad', ['{"chapter": "01", "na', 'null', '[1]', '{"a": 1}', '\ufffd\x00', ''])
def test_a_broken_line_spoils_only_itself(path, bad):
    keep_progress()
    record('01', 'a', 'right')
    with path.open('a', encoding='utf-8') as f: f.write(bad + '\n')
    record('01', 'b', 'right')
    assert list(events().name)==['a', 'b']

def test_a_line_that_was_cut_off_does_not_swallow_the_next(path):
    keep_progress()
    with path.open('a', encoding='utf-8') as f: f.write('{"chapter": "01", "na')
    record('01', 'b', 'right')
    assert list(events().name)==['b']

def test_many_writers_at_once_lose_nothing(path):
    keep_progress()
    with ThreadPoolExecutor(8) as p: list(p.map(lambda i: record('01', f'e{i}', 'right'), range(200)))
    assert sorted(events().name)==sorted(f'e{i}' for i in range(200))

def test_a_file_that_cannot_be_written_is_no_error(path):
    path.mkdir(parents=True)
    record('01', 'a', 'right')
    assert len(events())==0

def test_the_path_is_the_users_own_data_folder(monkeypatch):
    monkeypatch.delenv('COLLAB_COURSE_PROGRESS')
    assert progress_file().name=='progress.jsonl' and 'collab_course' in progress_file().parts

def test_only_chapter_name_result_and_time_are_kept(path):
    keep_progress()
    record('01', 'a', 'right')
    assert set(json.loads(path.read_text()))=={'chapter', 'name', 'what', 'time'}

def test_html_and_text_tell_the_same(chapter):
    o = progress()
    assert chapter.title in repr(o) and chapter.title in o._repr_html_() and o.todo in repr(o)

def test_an_unknown_chapter_is_named():
    with pytest.raises(ValueError, match="'77'"): progress('77')

def test_the_module_is_light():
    code = 'import sys, collab_course.course.progress; print("torch" in sys.modules, "matplotlib" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,
                          check=True).stdout.split()==['False', 'False']

def test_a_chapter_is_found_as_practice_finds_it(chapter):
    assert len({repr(progress(o))
                for o in (chapter.chapter, int(chapter.chapter), str(int(chapter.chapter)), chapter.name)})==1

@pytest.mark.parametrize('act', [keep_progress, forget_progress])
def test_a_file_with_something_else_is_not_taken_and_not_deleted(path, act):
    path.parent.mkdir()
    path.write_text('my diary')
    with pytest.raises(ValueError, match='something else'): act()
    assert path.read_text()=='my diary'

def test_a_folder_is_refused(path):
    path.mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match='name a file'): keep_progress()

def test_the_greeting_is_the_map_with_what_there_is_to_do(chapter):
    text = str(greeting())
    assert all(f'{o.chapter} {o.title}' in text
               for o in practices()) and '0 of' not in text and 'keep_progress()' in text

def test_the_greeting_says_where_you_stand(chapter):
    keep_progress()
    record(chapter.chapter, chapter.exercises[0].name, 'right')
    text = str(greeting())
    todo = chapter.exercises[1]
    where = ('' if todo.in_chapter else 'practice/') + f'{chapter.chapter}_{chapter.name}.ipynb'
    assert f'1 of {len(chapter.exercises)}' in text and f'Next: {todo.name} in work/{where}' in text

def test_nothing_is_added_to_a_file_of_somebody_else(path, chapter):
    path.parent.mkdir()
    path.write_text('my diary\n')
    chapter.exercises[0].check(chapter.exercises[0].answer)
    with pytest.raises(ValueError, match='something else'): forget_progress()
    assert path.read_text()=='my diary\n'

@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='Windows has no named pipes')
@pytest.mark.parametrize('act', [keep_progress, forget_progress])
def test_what_is_no_file_is_left_alone(path, act):
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(OSError, match='name a file'): act()
    assert path.exists()

def test_a_place_that_cannot_be_written_is_named(path):
    path.parent.parent.joinpath('deep').write_text('a file, not a folder')
    with pytest.raises(OSError, match='COLLAB_COURSE_PROGRESS'): keep_progress()

@pytest.mark.parametrize('call', [keep_progress, events, forget_progress])
def test_a_file_that_cannot_be_read_is_said_in_words(path, monkeypatch, call):
    keep_progress()
    def no_permission(self, *args, **kw): raise PermissionError(13, 'Permission denied', str(self))
    monkeypatch.setattr(type(path), 'open', no_permission)
    monkeypatch.setattr(type(path), 'read_text', no_permission)
    with pytest.raises(OSError, match=r"can't read .*progress\.jsonl \(Permission denied\): name another file in "):
        call()
