/* Receiver of text for tests: a Win32 edit control. text_wine.py compiles it and
 * starts it under Wine. Usage: edit X Y W H REST */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESTING = 1, FOCUS = 2, CLEAR = WM_APP };

static HWND edit;
static int rest;

/* Prints the text as JSON, with a newline for each CR LF. */
static void tell(void)
{
    int size = GetWindowTextLengthW(edit) + 1;
    WCHAR *text = calloc(size, sizeof *text);
    GetWindowTextW(edit, text, size);
    printf("{\"event\":\"text\",\"text\":\"");
    for (WCHAR *c = text; *c; c++) {
        if (c[0] == '\r' && c[1] == '\n')
            continue;
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
            printf("\\u%04x", *c);
        else
            putchar(*c);
    }
    printf("\"}\n");
    fflush(stdout);
    free(text);
}

static LRESULT CALLBACK on_message(HWND window, UINT message, WPARAM w, LPARAM l)
{
    switch (message) {
    case WM_COMMAND:
        if (HIWORD(w) == EN_CHANGE)
            SetTimer(window, RESTING, rest, NULL); /* starts the time again */
        return 0;
    case WM_TIMER:
        if (w == RESTING) {
            KillTimer(window, RESTING);
            tell();
        } else if (GetForegroundWindow() == window && GetFocus() == edit) {
            KillTimer(window, FOCUS);
            printf("{\"event\":\"ready\"}\n");
            fflush(stdout);
        }
        return 0;
    case CLEAR:
        SetWindowTextW(edit, L"");
        KillTimer(window, RESTING);
        printf("{\"event\":\"cleared\"}\n");
        fflush(stdout);
        return 0;
    case WM_SIZE:
        MoveWindow(edit, 0, 0, LOWORD(l), HIWORD(l), TRUE);
        return 0;
    case WM_SETFOCUS:
        SetFocus(edit);
        return 0;
    case WM_DESTROY:
        PostQuitMessage(0);
        return 0;
    }
    return DefWindowProcW(window, message, w, l);
}

static DWORD WINAPI commands(void *window)
{
    char line[100];
    while (fgets(line, sizeof line, stdin))
        if (!strncmp(line, "clear", 5))
            PostMessageW(window, CLEAR, 0, 0);
    ExitProcess(0);
}

int main(int count, char **args)
{
    WNDCLASSW class = { .lpfnWndProc = on_message, .lpszClassName = L"receiver",
                        .hbrBackground = (HBRUSH)(COLOR_WINDOW + 1), .hCursor = LoadCursor(NULL, IDC_IBEAM) };
    MSG message;
    HWND window;
    if (count != 6)
        return 2;
    rest = atoi(args[5]);
    RegisterClassW(&class);
    /* With WS_SYSMENU, Wine leaves the window to the window manager, if there is one. */
    window = CreateWindowW(L"receiver", L"receiver", WS_POPUP | WS_SYSMENU, atoi(args[1]), atoi(args[2]),
                           atoi(args[3]), atoi(args[4]), NULL, NULL, NULL, NULL);
    edit = CreateWindowW(L"EDIT", L"", WS_CHILD | WS_VISIBLE | WS_VSCROLL | ES_MULTILINE | ES_WANTRETURN | ES_AUTOVSCROLL,
                         0, 0, atoi(args[3]), atoi(args[4]), window, NULL, NULL, NULL);
    SendMessageW(edit, EM_SETLIMITTEXT, 0, 0);
    ShowWindow(window, SW_SHOW);
    UpdateWindow(window);
    SetForegroundWindow(window);
    SetTimer(window, FOCUS, 20, NULL);
    CreateThread(NULL, 0, commands, window, 0, NULL);
    while (GetMessageW(&message, NULL, 0, 0) > 0) {
        TranslateMessage(&message);
        DispatchMessageW(&message);
    }
    return 0;
}
